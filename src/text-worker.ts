/**
 * Threads of the compiled executable: their sources are imported as text, as a worker from a file would need an entry of
 * its own there. The address may be used for any number of workers; it is not given back.
 */
export function workerUrl(source: string): string {
  return URL.createObjectURL(new Blob([source], { type: 'application/javascript' }));
}
