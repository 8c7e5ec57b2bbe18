import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { hashText } from './object-hash.ts';
import { ObjectTable, PAGE_SLOTS } from './object-table.ts';
import { sortSlots } from './slot-sort.ts';

const hashOf = (n: number) => new Bun.CryptoHasher('sha512').update(String(n)).digest() as Buffer;

test('finds what was added and frees what nobody needs', () => {
  const table = new ObjectTable();
  for (let n = 0; n < 3000; n++) table.add(hashOf(n), 0, n + 1, n);
  expect(table.objects).toBe(3000);
  for (let n = 0; n < 3000; n += 2) table.remove(table.find(hashOf(n)));
  for (let n = 0; n < 3000; n++) {
    const slot = table.find(hashOf(n));
    expect(slot !== 0).toBe(n % 2 === 1);
    if (slot) expect(hashText(table.hashes, slot * 64)).toBe(hashOf(n).toString('hex'));
  }
  for (let n = 0; n < 3000; n += 2) table.add(hashOf(n), 0, 1, 1);
  expect(table.end).toBeLessThanOrEqual(3001);
});

test('pages of the index bring everything back; references are counted anew', async () => {
  const table = new ObjectTable();
  for (let n = 0; n < 700; n++) table.add(hashOf(n), 0, n + 1, n + 1);
  table.remove(table.find(hashOf(5)));
  const copy = new ObjectTable();
  for (const page of table.dirtyPages) {
    const first = page * PAGE_SLOTS;
    const end = first + PAGE_SLOTS;
    copy.restore(
      page,
      table.hashes.subarray(first * 64, end * 64),
      table.sizes.subarray(first, end),
      table.since.subarray(first, end),
      table.protectedUntil.subarray(first, end),
      table.states.subarray(first, end),
    );
  }
  await copy.restored();
  await copy.settle(9999);
  expect([copy.objects, copy.bytes, copy.unreferencedObjects]).toEqual([table.objects, table.bytes, 699]);
  expect([...copy.unreferencedSlots()]).toEqual([...table.unreferencedSlots()]);
  expect(copy.find(hashOf(5))).toBe(0);
  expect(copy.find(hashOf(6))).toBe(table.find(hashOf(6)));
});

test('rows of different times that give an object two slots', async () => {
  const table = new ObjectTable();
  for (let n = 0; n < 3; n++) table.add(hashOf(n), 0, n + 1, n + 1);
  const copy = new ObjectTable();
  const page = (hashes: Uint8Array) =>
    [
      hashes,
      table.sizes.subarray(0, PAGE_SLOTS),
      table.since.subarray(0, PAGE_SLOTS),
      table.protectedUntil.subarray(0, PAGE_SLOTS),
      table.states.subarray(0, PAGE_SLOTS),
    ] as const;
  copy.restore(0, ...page(table.hashes.subarray(0, PAGE_SLOTS * 64)));
  copy.restore(1, ...page(table.hashes.subarray(0, PAGE_SLOTS * 64)));
  await copy.restored();
  await copy.settle(9999);
  expect([copy.objects, copy.bytes]).toEqual([3, 6]);
  // Collected once, an object must not be there a second time.
  for (let n = 0; n < 3; n++) {
    copy.remove(copy.find(hashOf(n)));
    expect(copy.find(hashOf(n))).toBe(0);
  }
});

test('unreferenced objects come back oldest first, however many', async () => {
  const count = 10_000;
  const since = new Float64Array(count + 1).map(() => Math.floor(Math.random() * 5000));
  const slots = Uint32Array.from({ length: count }, (_, index) => index + 1);
  const expected = [...slots].sort((a, b) => since[a]! - since[b]!);
  expect([...(await sortSlots(slots, since))]).toEqual(expected);
});

test('behaves like a simple model', () => {
  const operation = fc.tuple(
    fc.constantFrom('add', 'remove', 'ref', 'unref', 'lease', 'release', 'renew'),
    fc.nat(30),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
      const table = new ObjectTable();
      const present = new Set<number>();
      const refs = new Map<number, number>();
      const leases = new Map<number, number>();
      let order: number[] = [];
      let now = 0;
      for (const [what, n] of operations) {
        now++;
        const slot = table.find(hashOf(n));
        const references = refs.get(n) ?? 0;
        switch (what) {
          case 'add':
            table.add(hashOf(n), 0, n + 1, now);
            if (!present.has(n)) {
              present.add(n);
              if (references === 0) order.push(n);
            }
            break;
          case 'remove':
            if (!slot || !present.has(n)) break;
            table.remove(slot);
            present.delete(n);
            order = order.filter((other) => other !== n);
            break;
          case 'ref':
            table.reference(slot || table.addMissing(hashOf(n), 0, n + 1));
            refs.set(n, references + 1);
            order = order.filter((other) => other !== n);
            break;
          case 'unref':
            if (references === 0) break;
            table.unreference(slot, now);
            refs.set(n, references - 1);
            if (references === 1 && present.has(n)) order.push(n);
            break;
          case 'lease':
            if (!slot) break;
            table.lease(slot);
            leases.set(n, (leases.get(n) ?? 0) + 1);
            break;
          case 'release':
            if (!leases.get(n)) break;
            table.release(slot, 0);
            leases.set(n, (leases.get(n) ?? 0) - 1);
            break;
          case 'renew':
            if (!slot || !present.has(n)) break;
            table.renew(slot, now);
            if (references === 0) order = [...order.filter((other) => other !== n), n];
        }
      }
      expect(table.objects).toBe(present.size);
      expect([...table.unreferencedSlots()].map((slot) => table.sizes[slot]! - 1)).toEqual(order);
      expect(table.unreferencedObjects).toBe(order.length);
      for (let n = 0; n <= 30; n++) {
        const known = present.has(n) || (refs.get(n) ?? 0) > 0 || (leases.get(n) ?? 0) > 0;
        expect(table.find(hashOf(n)) !== 0).toBe(known);
      }
    }),
    { numRuns: 200 },
  );
});
