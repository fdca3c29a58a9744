/** The value that a JSON text stands for; `undefined` when it is no JSON. Why is not told: a parser quotes the text, which may hold a secret. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
