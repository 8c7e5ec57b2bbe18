/** Adds an image of one file and fetches it again: `bun client/example.ts http://localhost:6971`. */
import { fileURLToPath } from 'node:url';
import { type GenericInode, hashOf, type Image, ImageServerClient, ZERO_TIME } from './index.ts';

/** Throws what the server refuses. Returns the contents that came back. */
export async function addAndFetch(url: string, name: string): Promise<string> {
  const server = new ImageServerClient({ url });
  const contents = new TextEncoder().encode('Hello from the client\n');
  const hash = await hashOf(contents);
  if ((await server.objects.missing([hash])).length > 0) await server.objects.put(contents, { hash });

  const file: GenericInode = {
    Kind: 'regular',
    Mode: 0o100644,
    Uid: 0,
    Gid: 0,
    MtimeSeconds: 1_700_000_000n,
    MtimeNanoSeconds: 0,
    Size: BigInt(contents.length),
    Hash: hash,
  };
  const image: Image = {
    BuildBranch: '',
    BuildCommitId: '',
    BuildGitUrl: '',
    CreatedBy: '',
    CreatedFor: '',
    Filter: null,
    FileSystem: {
      InodeTable: new Map([[1n, file]]),
      NumRegularInodes: 1n,
      TotalDataBytes: BigInt(contents.length),
      DirectoryCount: 1n,
      DirectoryInode: {
        EntryList: [{ Name: 'hello', InodeNumber: 1n }],
        EntriesByName: null,
        Mode: 0o40755,
        Uid: 0,
        Gid: 0,
      },
    },
    Triggers: null,
    ReleaseNotes: null,
    BuildLog: null,
    CreatedOn: ZERO_TIME,
    ExpiresAt: ZERO_TIME,
    OwnerGroups: [],
    OwnerUsers: [],
    Packages: [],
    SourceImage: '',
    Tags: null,
  };
  await server.call('ImageServer.AddImage', { ImageName: name, Image: image });

  const { Image: fetched } = await server.call('ImageServer.GetImage', { ImageName: name });
  const inode = fetched?.FileSystem?.InodeTable?.get(1n);
  if (inode?.Kind !== 'regular') throw new Error('the file is gone');
  return (await server.objects.get(inode.Hash)).text();
}

// Called as a program, not imported; `import.meta.main` is not known everywhere.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [url = 'http://localhost:6971', name = `example-${Date.now()}`] = process.argv.slice(2);
  console.log(await addAndFetch(url, name));
}
