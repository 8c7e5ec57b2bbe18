/** Virtual machines: the hypervisor on which one runs scans its root volume. */
import { lookup } from 'node:dns/promises';
import { isIP, isIPv4 } from 'node:net';
import { ImageServerError } from '../errors.ts';
import type { FileSystem } from '../wire/messages/filesystem.ts';
import {
  GetHypervisorForVMRequest,
  GetHypervisorForVMResponse,
  ScanVmRootRequest,
  ScanVmRootResponse,
} from '../wire/messages/hypervisor.ts';
import type { Context } from './command.ts';
import { dialPeer } from './dial.ts';
import type { WatchedClient } from './watched-client.ts';

/** The tree of a virtual machine, scanned now. */
export async function scanVm(context: Context, name: string): Promise<FileSystem> {
  const IpAddress = addressBytes(await addressOf(name));
  const [host, port] = await hypervisorOf(context, IpAddress);
  const { Error: failure, FileSystem: tree } = await withPeer(context, host, port, (client) =>
    client.call('Hypervisor.ScanVmRoot', ScanVmRootRequest, ScanVmRootResponse, { IpAddress, Filter: null }),
  );
  if (failure !== '') throw new ImageServerError('INVALID_REQUEST', failure);
  if (!tree) throw new ImageServerError('INVALID_IMAGE', `${name}: the hypervisor sent no tree`);
  return tree;
}

/** The flags name it, or the fleet manager does; else it is this machine. A port in its name comes first. */
async function hypervisorOf(
  context: Context,
  IpAddress: Uint8Array,
): Promise<readonly [host: string, port: number]> {
  const { hypervisorHostname, hypervisorPortNum, fleetManagerHostname, fleetManagerPortNum } = context.flags;
  if (hypervisorHostname !== '') return [hypervisorHostname, hypervisorPortNum];
  if (fleetManagerHostname === '') return ['localhost', hypervisorPortNum];
  const reply = await withPeer(context, fleetManagerHostname, fleetManagerPortNum, (client) =>
    client.call('FleetManager.GetHypervisorForVM', GetHypervisorForVMRequest, GetHypervisorForVMResponse, {
      IpAddress,
    }),
  );
  if (reply.Error !== '') throw new ImageServerError('INVALID_REQUEST', reply.Error);
  return [reply.HypervisorAddress, hypervisorPortNum];
}

async function withPeer<T>(
  context: Context,
  host: string,
  port: number,
  work: (client: WatchedClient) => Promise<T>,
): Promise<T> {
  const client = await dialPeer(context.flags, host, port);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** The one address of a machine. Throws UNAVAILABLE for names that have none, CONFLICT if there are several. */
async function addressOf(name: string): Promise<string> {
  if (isIP(name) !== 0) return name;
  const found = await lookup(name, { all: true }).catch((cause) => {
    throw new ImageServerError('UNAVAILABLE', `lookup ${name}: no such host`, { cause });
  });
  const [first, ...others] = new Set(found.map(({ address }) => address));
  if (first === undefined || others.length > 0)
    throw new ImageServerError('CONFLICT', `num IPs: ${others.length + 1} != 1`);
  return first;
}

/** An address as Go's net.IP has it: 16 bytes, those of IPv4 behind their prefix. */
function addressBytes(address: string): Uint8Array {
  const text = isIPv4(address) ? `::ffff:${address}` : address;
  const [head = '', tail = ''] = text
    .replace(/%.*$/, '')
    .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
      const [a = 0, b = 0, c = 0, d = 0] = parts.map(Number);
      return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
    })
    .split('::');
  const [front, back] = [words(head), words(tail)];
  const between = new Array<number>(8 - front.length - back.length).fill(0);
  return Uint8Array.from([...front, ...between, ...back].flatMap((word) => [word >> 8, word & 0xff]));
}

function words(text: string): number[] {
  return text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16));
}
