/** Whose connections are counted together. */

const GROUPS = 8;
/** Groups of 16 bits that a provider hands out to one customer. */
const NETWORK_GROUPS = 4;

/**
 * What limits for one peer go by: an IPv4 address as it is; of an IPv6 address the first 64 bits, as whoever has one
 * address there has all of them.
 */
export function peerNetwork(address: string): string {
  const [bare = ''] = address.split('%', 1);
  if (!bare.includes(':') || bare.includes('.')) return bare;
  const [front = '', back] = bare.split('::', 2);
  const groups = (text: string) => text.split(':').filter((group) => group !== '');
  const [first, last] = [groups(front), groups(back ?? '')];
  const zeros =
    back === undefined ? [] : Array<string>(Math.max(0, GROUPS - first.length - last.length)).fill('0');
  return `${[...first, ...zeros, ...last].slice(0, NETWORK_GROUPS).join(':')}::/64`;
}
