/** The command lines on which the original's tools and ours are compared, and the files they work with. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { encodeImage } from '../src/wire/encoded-image.ts';
import { encodeOnce } from '../src/wire/gob/encoder.ts';
import { sampleImage } from '../src/wire/image-fixture.ts';
import { FileSystem } from '../src/wire/messages/filesystem.ts';
import { makeTree } from './tool-tree.ts';

export interface Step {
  /** Words after the flags that every line has; the first word `objecttool` chooses that program. */
  readonly line: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The output comes in random order. */
  readonly sorted?: boolean;
  /** What the command makes, to be compared too. */
  readonly makes?: string;
}

/** SHA-512 of `release notes\n`. */
const NOTES = new Bun.CryptoHasher('sha512').update('release notes\n').digest('hex');
const NOBODY = '12'.repeat(64);

/** Fills the working directory. */
export function makeFixtures(directory: string): void {
  const at = (...parts: string[]) => join(directory, ...parts);
  const text = (name: string, content: string) => writeFileSync(at(name), content);
  makeTree(at('t1'));
  makeTree(at('t2'));
  text('t2/etc/hostname', 'another host\n');
  text('t2/etc/added', 'new here\n');
  makeTree(at('patched'));
  execFileSync('cp', ['-a', at('t2'), at('patched2')]);
  text('patched/etc/hostname', 'another host\n');
  text('patched/etc/extra', 'not in the image\n');
  text('patched/odd/left-alone', 'filtered\n');
  rmSync(at('patched/etc/passwd'));
  makeChanged(at('patched3'));
  makeChanged(at('patched4'));
  makeChanged(at('patched5'));
  for (const path of ['filtered/odd', 'filtered/tmp']) mkdirSync(at(path), { recursive: true });
  for (const path of ['layer/etc', 'layer2/etc', 'layer3/etc/hostname', 'bare', 'zero', 'bulk/etc'])
    mkdirSync(at(path), { recursive: true });
  text('layer/etc/hostname', 'layered\n');
  text('bulk/etc/hostname', 'bulk\n');
  text('layer2/etc/brandnew', 'new\n');
  const tar = (...args: string[]) => execFileSync('tar', args, { cwd: directory });
  tar('-C', 't1', '-cf', 't1.tar', '.');
  tar('-C', 't1', '-czf', 't1.tgz', '.');
  tar('-C', 't1', '-czf', 'z.tar', '.');
  tar('-C', 't1', '-cf', 'plain.tgz', '.');
  tar('-C', 't1', '-cf', 'orphan.tar', './etc/passwd');
  tar('-C', 't1', '-cf', 'cut.tar', '.');
  truncateSync(at('cut.tar'), 20_000);
  tar('-cf', 'empty.tar', '-T', '/dev/null');
  text('filter', '/tmp/.*\n# comment\n\n/odd/.*\n/var/log/.*\n');
  text('filter2', '/proc/.*\n/tmp/.*\n');
  text('inverted', '!\n/etc(/.*)?$\n/usr.*\n');
  text('no-source', '/etc/passwd\n');
  text('empty', '');
  text('bad', '/bad(\n');
  text(
    'triggers',
    '[{"MatchLines":["/etc/.*","/usr/bin/.*"],"Service":"net","DoReboot":true},{"MatchLines":["/no"],"Service":"no"},{"MatchLines":["/usr.*"],"Service":"app","HighImpact":true}]',
  );
  text('triggers2', '[{"MatchLines":["/lib/.*"],"Service":"net","HighImpact":true}]');
  text('notes', 'release notes\n');
  text('computed', '# comment\n/etc/hostname filegen.host:6972\n');
  text('computed.json', '[{"Filename":"/etc/hostname","Source":"json.host:1"}]');
  text('computed-bad', 'one two three\n');
  text('computed-none', '/etc/nope source:1\n');
  text('computed-linked', '/etc/passwd source:1\n');
  mkdirSync(at('computed-root/etc'), { recursive: true });
  text('computed-root/etc/hostname', 'made here\n');
  text('hashes', `${NOTES}\n`);
  const image = sampleImage();
  writeFileSync(at('an-image'), encodeImage(image).bytes);
  writeFileSync(at('a-tree'), encodeOnce(FileSystem, image.FileSystem as FileSystem));
}

/** The tree with changes of every kind, but for a directory in place of a file: the original leaves it there. */
function makeChanged(root: string): void {
  makeTree(root);
  const at = (path: string) => join(root, path);
  chmodSync(root, 0o700);
  renameSync(at('usr/bin/app'), at('usr/bin/moved'));
  linkSync(at('usr/bin/app-copy'), at('etc/extra-link'));
  for (const path of ['sticky', 'etc/hostname', 'dev/fifo', 'odd/link'])
    rmSync(at(path), { recursive: true });
  writeFileSync(at('sticky'), 'a file');
  symlinkSync('null', at('dev/fifo'));
  symlinkSync('elsewhere', at('odd/link'));
  chmodSync(at('dev/null'), 0o666);
  writeFileSync(at('etc/empty'), 'no more');
  rmSync(at('etc/passwd'));
  copyFileSync(at('odd/hard'), at('etc/passwd'));
  mkdirSync(at('usr/lib/deep'), { recursive: true });
  writeFileSync(at('usr/lib/deep/file'), 'deep');
}

const lines = (text: string): Step[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => ({ line: words(line) }));

/** Words at blanks; '' is an empty word. */
function words(line: string): string[] {
  return line.split(' ').map((word) => (word === "''" ? '' : word));
}

const makes = (path: string, line: string): Step => ({ line: words(line), makes: path });
const sorted = (line: string): Step => ({ line: words(line), sorted: true });
const inZone = (TZ: string, line: string): Step => ({ line: words(line), env: { TZ } });

const ZONES = ['America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Europe/Berlin', 'Pacific/Apia'];

/** In this order on a server that is empty at first. */
export const STEPS: readonly Step[] = [
  ...lines(`
    list
    listdirs
    listunrefobj
    mkdir base
    mkdir base
    mkdir nope/sub
    mkdir base/sub
    mkdir empty
    check-directory base
    check-directory none
    check-directory .
    -releaseNotes=notes -buildLog=https://example.com/build.log add base/img.9 t1 filter triggers
    add base/img.10 t1 empty ''
    add base/tar t1.tar '' ''
    add base/tgz t1.tgz filter triggers
    add base/inverted t1 inverted ''
    add base/bare bare '' ''
    add base/nothing empty.tar '' ''
    -computedFiles=computed add base/computed t1 empty ''
    -computedFiles=computed.json add base/computed-json t1.tar empty ''
    -copyMtimesFrom=base/img.10 add base/copied t2 filter ''
    -copyMtimesFrom=base/none add base/copied2 t2 filter ''
    -buildLog=notes add base/logged t2 empty ''
    -expiresIn=24h add base/exp t2 '' ''
    -requiredPaths=/etc:d,/etc/hostname:f,/dev/fifo:p,/odd/link:l add base/required t1 empty ''
    add base/img.9 t1.tar '' ''
    add nodir/img t1 filter ''
    add base/e1 none filter ''
    add base/e2 none.tar filter ''
    add base/e3 t1 none ''
    add base/e4 t1 . ''
    add base/e5 t1 bad ''
    add base/e6 t1 empty none
    add base/e7 t1 empty bad
    add base/e8 cut.tar empty ''
    add base/e11 orphan.tar empty ''
    add base/e12 t1.tar no-source ''
    -requiredPaths=/etc:d add base/e13 bare empty ''
    -requiredPaths=/nope:f add base/e14 t1 empty ''
    -requiredPaths=/etc:f add base/e15 t1 empty ''
    -releaseNotes=t1 add base/e16 t1 empty ''
    -releaseNotes=empty add base/e17 t1 empty ''
    -computedFiles=none add base/e18 t1 empty ''
    -computedFiles=computed-bad add base/e19 t1 empty ''
    -computedFiles=computed-none add base/e20 t1 empty ''
    -computedFiles=computed-linked add base/e21 t1 empty ''
    addi base/sparse base/img.9 '' ''
    addi base/refiltered base/img.10 filter2 triggers2
    -deleteFilter=filter addi base/cut base/img.10 empty ''
    -deleteFilter=bad addi base/cut2 base/img.10 empty ''
    addi base/sparse base/img.9 '' ''
    addi base/e22 base/none '' ''
    -requiredPaths=/etc:d addi base/e23 base/bare empty ''
    addrep base/layered base/img.9 layer
    addrep base/e24 base/img.9 layer2
    addrep base/e25 base/img.9 layer3
    addrep base/e26 base/none layer
    addrep base/expiring-layer base/exp layer
    bulk-addrep bulk
    check base/img.10
    check base/img.11
    check base/none
    check base/expiring-layer
    copy base/copy base/img.9
    copy base/copy base/img.9
    copy base/copy2 base/none
    copy nodir/x base/img.9
    -expiresIn=1h copy base/copied-expiring base/img.9
    list
    listdirs
    find-latest-image base
    -ignoreExpiring find-latest-image base
    find-latest-image empty
    find-latest-image nope
    find-latest-image .
    find-latest-image base/
    show base/img.9
    show i:base/img.10
    show base/tar
    show base/tgz
    show base/inverted
    show base/nothing
    show base/computed
    show base/computed-json
    show base/copied
    show base/cut
    show base/layered
    show base/img.11
    show base/refiltered
    show d:t1
    show d:none
    show l:an-image
    show f:a-tree
    show l:notes
    show f:empty
    show l:none
    show z:x
    show base/none
    -timeout=100ms show base/none
    -skipFields=t show base/img.9
    -skipFields=mlugsd show base/img.9
    -skipFields=mlugstd show base/img.9
    -skipFields=zn show base/img.9
    -filterFile=filter show base/img.10
    show-filter base/img.9
    show-filter base/img.10
    show-filter base/sparse
    show-filter base/none
    estimate-usage base/img.9
    estimate-usage base/none
    estimate-usage d:t1
    get-archive-data base/img.9 -
    get-archive-data base/exp -
    get-image-expiration base/img.9
    get-image-expiration base/exp
    get-image-expiration base/none
    -expiresIn=48h change-image-expiration base/exp
    -expiresIn=1h change-image-expiration base/exp
    change-image-expiration base/exp
    -expiresIn=1h change-image-expiration base/exp
    change-image-expiration base/none
    diff diff base/img.10 base/copied
    diff cmp base/img.10 base/img.10
    -skipFields=t diff diff i:base/img.10 d:t2
    -filterFile=filter diff diff base/img.10 d:t2
    -deleteFilter=filter diff diff base/img.10 d:t2
    diff diff l:an-image f:a-tree
    diff diff base/none base/img.9
    diff diff base/img.9 base/none
    diff nosuchtool base/img.9 base/img.9
    match-triggers base/img.9 triggers
    match-triggers base/img.9 none
    match-triggers base/img.9 bad
    match-triggers base/none triggers
    match-triggers d:t1 triggers
    merge-filters filter filter2 inverted
    merge-filters filter none
    merge-triggers triggers triggers2
    merge-triggers triggers
    merge-triggers none
    get-file-in-image base/img.9 /etc/hostname
    get-file-in-image base/img.9 /etc/nope
    get-file-in-image base/img.9 etc/hostname
    get-file-in-image base/img.9 /etc
    get-file-in-image base/img.10 /odd/link
    get-file-in-image base/computed /etc/hostname
    get-file-in-image base/none /etc/hostname
    test-download-speed base/img.9
    test-download-speed base
    test-download-speed base/none
    test-download-speed empty
    chown base root
    chown base nosuchgroup
    delete base/copy
    delete base/copy
    delete base/none
  `),
  ...ZONES.map((zone) => inZone(zone, 'show base/img.10')),
  ...ZONES.map((zone) => inZone(zone, 'diff diff base/img.10 base/copied')),
  inZone('America/New_York', 'get-image-expiration base/copied-expiring'),
  makes('archive.gob', 'get-archive-data base/img.9 archive.gob'),
  makes('archive.json', 'get-archive-data base/img.9 archive.json'),
  makes('app', 'get-file-in-image base/img.9 /usr/bin/app app'),
  makes('out-dir', 'get base/img.10 out-dir'),
  makes('out-dir', 'get base/tar out-dir'),
  makes('out-tar', 'get base/tar out-tar'),
  makes('out-computed', 'get base/computed out-computed'),
  makes('out-root', '-computedFilesRoot=computed-root get base/computed out-root'),
  makes('out-root2', '-computedFilesRoot=bare get base/computed out-root2'),
  makes('out-tree', 'get d:t1 out-tree'),
  ...lines(`
    get base/none out-none
    get base/img.9 no/such/place
    tar base/none none-out.tar
    tar base/img.9 no/such/place.tar
  `),
  makes('img.tar', 'tar base/img.10 img.tar'),
  makes('computed.tar', '-computedFilesRoot=computed-root tar base/computed computed.tar'),
  makes('out-missing.tar', '-computedFilesRoot=bare tar base/computed out-missing.tar'),
  makes('img.tgz', '-compress tar base/img.10 img.tgz'),
  ...lines(`
    add base/again img.tar empty ''
    -skipFields=t show base/again
    -skipFields=t diff diff base/img.10 base/again
  `),
  // Objects: what the deleted image left, then all that nobody uses.
  ...lines(`
    objecttool add notes filter
    objecttool add /dev/null
    objecttool add none
    objecttool check ${NOTES}
    objecttool check ${NOBODY}
    objecttool check ${NOTES}00
    objecttool check zz
    objecttool get ${NOTES} -
    objecttool get ${NOBODY} -
    objecttool get ${NOTES} no/such/place
  `),
  makes(`got.${NOTES}`, `objecttool get ${NOTES} got`),
  makes('mget', 'objecttool mget hashes mget'),
  ...lines(`
    objecttool mget hashes mget
    objecttool mget none mget2
    objecttool -testDuration=3s test-bandwidth-from-server
    objecttool -testDuration=3s test-bandwidth-to-server
  `),
  ...['base/layered', 'base/img.11', 'base/copied'].map((name) => ({ line: ['delete', name] })),
  sorted('listunrefobj'),
  sorted('showunrefobj'),
  ...lines(`
    delunrefobj 0 0
    delunrefobj 300 0
    delunrefobj x 0
    delunrefobj 0 1GiB
    delunrefobj 100 0
    listunrefobj
    delunrefobj 0 1
    list
    listdirs
    mkdir own
    add own/full t1 filter triggers
    add own/sparse t1 '' ''
  `),
];

/** Directories that are made equal to images, one after the other. */
export const PATCH_STEPS: readonly Step[] = [
  ...lines(`add own/owned t1 empty ''`),
  ...[
    'patch-directory own/full patched',
    '-logDebugLevel=1 patch-directory own/full patched',
    'patch-directory own/sparse patched2',
    'patch-directory own/full patched3',
    // Where links are made something has to be fetched as well: the original cannot make links alone.
    '-computedFiles=computed add own/computed t2 empty triggers',
    'patch-directory own/computed patched3',
    'patch-directory own/owned patched3',
    'patch-directory own/sparse patched4',
    'patch-directory own/owned patched5',
    'patch-directory own/owned bare',
  ].map((line) => ({ ...makes(line.split(' ').at(-1) as string, line), sorted: true })),
  ...lines(`
    patch-directory own/none patched
    patch-directory own/full no-directory
    patch-directory own/full filter
  `),
];

/** Commands that only the original's tool has. */
export const ORIGINAL_STEPS: readonly Step[] = lines(`make-raw-image own/none raw`);

/** What the filter of an image leaves alone. */
export const FILTERED_STEPS: readonly Step[] = [
  ...lines(`
    scan-filtered-files own/full t1
    -scanExcludeList= scan-filtered-files own/full t1
    -scanExcludeList=/odd/h.* -logDebugLevel=1 scan-filtered-files own/full t1
    scan-filtered-files own/none t1
    scan-filtered-files own/full no-directory
    scan-filtered-files own/full filter
    -scanExcludeList=/bad( scan-filtered-files own/full t1
    -scanExcludeList=/odd/h.*,! scan-filtered-files own/full t1
    copy-filtered-files own/full t1 filtered
    copy-filtered-files own/none t1 filtered
    -scanExcludeList= copy-filtered-files own/full t1 bare
  `),
  makes('filtered', '-scanExcludeList= copy-filtered-files own/full t1 filtered'),
];

/** Snapshots of the machine `SUB`. */
const SUB = '127.0.0.1';
export const SUB_STEPS: readonly Step[] = [
  ...lines(`
    -releaseNotes=notes adds own/sub ${SUB} filter triggers
    adds own/sub-sparse ${SUB} '' ''
    -deleteFilter=filter adds own/sub-cut ${SUB} empty ''
    -computedFiles=computed adds own/sub-computed ${SUB} empty ''
    -expiresIn=1h adds own/sub-expiring ${SUB} empty ''
    adds own/sub ${SUB} filter ''
    adds own/sub-none ${SUB} none ''
    adds nodir/sub ${SUB} empty ''
    -requiredPaths=/nope:f adds own/sub-required ${SUB} empty ''
    list
    listunrefobj
    show own/sub
    show own/sub-cut
    show own/sub-computed
    get-archive-data own/sub -
    diff diff s:${SUB} own/sub-sparse
  `),
  makes('sub.tar', 'tar own/sub-sparse sub.tar'),
  makes('sub-big', 'get-file-in-image own/sub /usr/big sub-big'),
  ...lines(`
    show s:${SUB}
    get-file-in-image s:${SUB} /etc/hostname
    match-triggers s:${SUB} triggers
  `),
];

/** Virtual machines; one is known to the hypervisor and the fleet manager at the ports of these names. */
export const VM_STEPS: readonly Step[] = lines(`
  -hypervisorHostname=127.0.0.1 -hypervisorPortNum=HYPERVISOR show v:127.0.0.5
  -hypervisorPortNum=HYPERVISOR diff diff v:127.0.0.5 own/sparse
  -fleetManagerHostname=127.0.0.1 -fleetManagerPortNum=MANAGER show v:127.0.0.5
  -hypervisorHostname=127.0.0.1 -hypervisorPortNum=HYPERVISOR show v:127.0.0.6
  -fleetManagerHostname=127.0.0.1 -fleetManagerPortNum=MANAGER show v:127.0.0.6
  -hypervisorHostname=127.0.0.1 -hypervisorPortNum=1 show v:127.0.0.5
  -fleetManagerHostname=127.0.0.1 -fleetManagerPortNum=1 show v:127.0.0.5
  show s:127.0.0.9
`);

interface Answer {
  readonly status?: number;
  readonly stdout?: string;
  readonly stderr?: string;
}
export interface Difference extends Answer {
  readonly why: string;
}

const noDirectory = (doing: string): Difference => ({
  why: 'no path of the server is shown to a stranger',
  stderr: `Error ${doing}: remote error: no metadata for: "nodir"\n`,
});

/** What our server answers differently to the original's tool (and to ours), and why. */
export const SERVER_DIFFERENCES: Readonly<Record<string, Difference>> = {
  "add nodir/img t1 filter ''": noDirectory('adding image: "nodir/img"'),
  'copy nodir/x base/img.9': noDirectory('copying image'),
  [`adds nodir/sub ${SUB} empty ''`]: {
    ...noDirectory(''),
    stderr: 'Error adding image: "nodir/sub"\tremote error: no metadata for: "nodir"\n',
  },
};

/** What our tool does differently with any server, and why. */
export const TOOL_DIFFERENCES: Readonly<Record<string, Difference>> = {
  'show l:notes': { why: 'the file is named', stderr: 'Error showing image: notes: unexpected EOF\n' },
  'show f:empty': { why: 'the file is named', stderr: 'Error showing image: empty: EOF\n' },
  'estimate-usage d:t1': { why: 'typed sources work here too', status: 0, stdout: '644 KiB\n', stderr: '' },
  'test-download-speed empty': {
    why: 'the text says what is wrong',
    stderr: 'Error testing download speed: no image found\n',
  },
  'objecttool check zz': {
    why: 'the original takes it for another hash',
    stderr: 'Error parsing hash: not 128 hex digits: zz\n',
  },
  '-hypervisorHostname=127.0.0.1 -hypervisorPortNum=1 show v:127.0.0.5': {
    why: 'the address is named',
    stderr: 'Error showing image: Error dialing 127.0.0.1:1: connection refused\n',
  },
  '-fleetManagerHostname=127.0.0.1 -fleetManagerPortNum=1 show v:127.0.0.5': {
    why: 'the address is named',
    stderr: 'Error showing image: Error dialing 127.0.0.1:1: connection refused\n',
  },
  '-scanExcludeList= copy-filtered-files own/full t1 bare': {
    why: 'missing directories are made',
    status: 0,
    stderr: '',
  },
  'show s:127.0.0.9': {
    why: 'the address is named',
    stderr: 'Error showing image: Error dialing 127.0.0.9:6969: connection refused\n',
  },
  'delunrefobj 0 1GiB': { why: 'sizes may have a suffix', status: 0, stderr: '' },
};

/** Lines that fail with the original's tool and work with ours: archives are known by their contents. */
export const IMPROVED: readonly Step[] = lines(`
  add base/packed z.tar empty ''
  add base/plain plain.tgz empty ''
  -expiresIn=1d list
`);

/** Mistakes on the command line: of stderr the first line is compared where the original does not begin with its usage. */
export const MISTAKES: readonly Step[] = [
  ...lines(`
    lst
    list x
    add x
    show
    -nosuchflag list
    -timeout=x list
    -timeout list
    -imageServerPortNum=x list
    -compress=maybe list
    -requiredPaths=x list
    -requiredPaths= list
    -expiresIn=5m add base/e27 t1 empty ''
    -filterFile=bad show base/img.10
    -filterFile=none show base/img.10
    objecttool nothing
    objecttool add
    objecttool check
  `),
  { line: [] },
];
