/** How the tree of a virtual machine is asked for: the fleet manager knows its hypervisor, that one scans it. */
import { bytes, pointer, string, struct } from '../schema.ts';
import { FileSystem } from './filesystem.ts';
import { Filter } from './image.ts';

/** Addresses are net.IP: 4 or 16 bytes. */
export const ScanVmRootRequest = struct('hypervisor.ScanVmRootRequest', {
  IpAddress: bytes,
  Filter: pointer(Filter),
});
export const ScanVmRootResponse = struct('hypervisor.ScanVmRootResponse', {
  Error: string,
  FileSystem: pointer(FileSystem),
});

export const GetHypervisorForVMRequest = struct('fleetmanager.GetHypervisorForVMRequest', {
  IpAddress: bytes,
});
export const GetHypervisorForVMResponse = struct('fleetmanager.GetHypervisorForVMResponse', {
  HypervisorAddress: string,
  Error: string,
});
