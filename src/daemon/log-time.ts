/** Times as the log has them: local, as the original writes them. */

export const two = (value: number) => String(value).padStart(2, '0');

/** `2026/11/23 06:27:02`, with microseconds if asked (of which the clock knows thousands). */
export function logTime(now: Date, subseconds: boolean): string {
  const date = `${now.getFullYear()}/${two(now.getMonth() + 1)}/${two(now.getDate())}`;
  const clock = `${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`;
  return `${date} ${clock}${subseconds ? `.${String(now.getMilliseconds()).padStart(3, '0')}000` : ''}`;
}
