/** imagetool against a server without certificates, and what its commands are expected to come to. */
import { expect } from 'bun:test';
import { programCommand } from './server.ts';

type Run = (...args: string[]) => Promise<{ status: number; stdout: string; stderr: string }>;

export function imagetoolCommand(port: number, args: readonly string[]): string[] {
  return [
    ...programCommand('imagetool'),
    '-certDirectory=',
    '-imageServerHostname=127.0.0.1',
    `-imageServerPortNum=${port}`,
    ...args,
  ];
}

export function expectationsOf(tool: Run) {
  return {
    /** Nothing to complain about; what it printed. */
    async succeed(...args: string[]): Promise<string> {
      const { status, stdout, stderr } = await tool(...args);
      expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
      return stdout;
    },
    /** Just this message, and nothing that could be taken for a result. */
    async fail(args: string[], message: string, status = 1): Promise<void> {
      expect({ args, ...(await tool(...args)) }).toEqual({
        args,
        status,
        stdout: '',
        stderr: `${message}\n`,
      });
    },
  };
}
