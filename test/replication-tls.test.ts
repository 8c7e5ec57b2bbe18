/** Pairs with TLS, where callers have names: owners of directories follow, on the replica nobody changes them. */
import { afterEach, expect, test } from 'bun:test';
import { recordedFlags, recordedPair } from './access-lab.ts';
import { available, converged, type Kind, Node, PAIRS, picture } from './replication-lab.ts';
import { haveVectors } from './vectors.ts';

const nodes: Node[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.remove()));
});

async function start(kind: Kind, ...args: string[]): Promise<Node> {
  const node = await Node.start(kind, [...recordedFlags(), ...args]);
  nodes.push(node);
  node.pair = recordedPair('all');
  return node;
}
const text = (...contents: string[]) => contents.map((one) => Buffer.from(one));

for (const [masterKind, replicaKind] of PAIRS)
  test.skipIf(!haveVectors || !available(masterKind) || !available(replicaKind))(
    `${replicaKind} behind ${masterKind}: owner groups follow, injected images keep who made them`,
    async () => {
      const master = await start(masterKind);
      await master.mkdir('d');
      await master.mkdir('e');
      await master.chown('e', 'games');
      await master.add('d/a', text('a'));
      const replica = await start(replicaKind, ...master.replicaArgs());
      await converged(master, replica);
      expect(await picture(replica)).toContain('e/ games');
      await master.chown('d', 'games');
      await converged(master, replica);
      await master.chown('e', '');
      await master.mkdir('d/below');
      await converged(master, replica);
      const before = await picture(replica);
      for (const line of ['d/ games', 'd/below/ games', 'e/ ']) expect(before.split('\n')).toContain(line);
      await replica.add('d/injected', text('injected'));
      await converged(master, replica);
      expect(await picture(master)).toMatch(/d\/injected: .*"CreatedBy":"[^"]+"/);
      // The original as a replica changes it and differs from then on.
      if (replicaKind !== 'ours') return;
      await expect(replica.chown('d', 'users')).rejects.toThrow('go to master');
      await converged(master, replica);
      expect((await picture(replica)).split('\n')).toContain('d/ games');
    },
  );
