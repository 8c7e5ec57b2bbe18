/** Reading streams of text. */

/** The lines of a body, without their ends. Throws if the body breaks off. */
export async function* linesOf(response: Response): AsyncGenerator<string> {
  const reader = response.body?.getReader();
  if (!reader) return;
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
      const lines = text.split('\n');
      text = lines.pop() as string;
      yield* lines;
    }
    if (text) yield text;
  } finally {
    await reader.cancel();
  }
}
