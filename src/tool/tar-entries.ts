/** Reads an archive member by member; extension headers are applied to the members they belong to. */
import { ImageServerError } from '../errors.ts';
import { applyPax, BLOCK, parseHeader, parsePax, type TarMember } from '../image/tar-format.ts';
import type { ByteStream } from './byte-stream.ts';

/** Longest extension header, bytes. */
const MAX_EXTENSION = 1024 * 1024;
const EXTENSIONS = 'xgLK';
/** Types that have no contents whatever their header says: links, devices, directories, fifos. */
const HEADER_ONLY = '123456';

function invalid(text: string): ImageServerError {
  return new ImageServerError('INVALID_REQUEST', text);
}

function textOf(data: Buffer): Buffer {
  const end = data.indexOf(0);
  return end < 0 ? data : data.subarray(0, end);
}

/** Every member. The consumer may take the `member.size` bytes of its contents from the stream; the rest is skipped. */
export async function* tarEntries(stream: ByteStream): AsyncGenerator<TarMember> {
  let pax = new Map<string, Buffer>();
  let name: Buffer | undefined;
  let link: Buffer | undefined;
  for (;;) {
    const block = await stream.upTo(BLOCK);
    if (block.length === 0) return;
    if (block.length < BLOCK) throw invalid('unexpected EOF');
    const header = parseHeader(block);
    if (!header) break;
    if (EXTENSIONS.includes(header.type)) {
      if (header.size > MAX_EXTENSION) throw invalid('archive/tar: invalid tar header');
      const data = await stream.upTo(header.size);
      if (data.length < header.size) throw invalid('unexpected EOF');
      if (header.type === 'x') pax = parsePax(data);
      else if (header.type === 'L') name = textOf(data);
      else if (header.type === 'K') link = textOf(data);
      await stream.skip(paddingOf(header.size));
      continue;
    }
    for (const key of pax.keys())
      if (key.startsWith('GNU.sparse.')) throw invalid('sparse files in archives are not supported');
    const member = applyPax({ ...header, ...(name && { name }), ...(link && { link }) }, pax);
    const type = member.type === '0' && member.name.at(-1) === 0x2f ? '5' : member.type;
    const size = HEADER_ONLY.includes(type) ? 0 : member.size;
    const end = stream.position + size;
    yield { ...member, type, size };
    await stream.skip(end - stream.position + paddingOf(size));
    pax = new Map();
    name = undefined;
    link = undefined;
  }
  // A pipe is read to its end: whoever writes into it may go on, and a compressed archive shows its checksum.
  for await (const _ of stream.rest());
}

function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}
