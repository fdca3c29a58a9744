/** How a call of the gateway's to the vendor ended. */
export type VendorAnswer =
  | { readonly kind: "ok"; readonly text: string }
  | { readonly kind: "refused"; readonly status: number; readonly message: string }
  | { readonly kind: "failed"; readonly status: number };

/** Makes one call as OpenClaw makes it: always a stream. `onText` gets the pieces as they come. */
export async function callVendor(
  baseUrl: string,
  key: string,
  model: string,
  prompt: string,
  onText: (piece: string) => void,
): Promise<VendorAnswer> {
  let response: Response;
  try {
    response = await fetch(`${baseUrl}/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ model, messages: [{ role: "user", content: prompt }], stream: true, stream_options: { include_usage: true } }),
    });
    if (response.status === 401 || response.status === 403) {
      const body = (await response.json().catch(() => undefined)) as { error?: { message?: string } } | undefined;
      return { kind: "refused", status: response.status, message: body?.error?.message ?? "refused" };
    }
    if (!response.ok) {
      await response.body?.cancel();
      return { kind: "failed", status: response.status };
    }
    return await readStream(response, onText);
  } catch {
    return { kind: "failed", status: 0 };
  }
}

/** Server-sent events up to `[DONE]`; without it the stream broke. */
async function readStream(response: Response, onText: (piece: string) => void): Promise<VendorAnswer> {
  const decoder = new TextDecoder();
  let [buffer, text] = ["", ""];
  for await (const chunk of response.body ?? []) {
    buffer += decoder.decode(chunk, { stream: true });
    for (let end = buffer.indexOf("\n\n"); end >= 0; end = buffer.indexOf("\n\n")) {
      const data = buffer.slice(0, end).replace(/^data: /, "");
      buffer = buffer.slice(end + 2);
      if (data === "[DONE]") return { kind: "ok", text };
      const event = JSON.parse(data) as { choices?: { delta?: { content?: string } }[] };
      const piece = event.choices?.[0]?.delta?.content ?? "";
      text += piece;
      if (piece !== "") onText(piece);
    }
  }
  return { kind: "failed", status: 0 };
}
