import type { z } from "zod";
import { AdapterError, hasCode } from "../../src/contract/errors.ts";
import type { HttpRequest } from "../../src/contract/http.ts";
import type { SecretRef } from "../../src/contract/settings.ts";
import type { World } from "../../src/contract/world.ts";
import { adminRefusal } from "./refusals.ts";

/** What the admin API is called with. */
interface Access {
  readonly adminKey: SecretRef;
  readonly organization?: string | undefined;
}

interface Page<Row> {
  readonly data: readonly Row[];
  readonly has_more?: boolean | null | undefined;
  readonly last_id?: string | null | undefined;
}

/** OpenAI's admin API. Each call is signed with what the admin key is at that moment. */
export function adminApi({ adminKey, organization }: Access, world: World) {
  const headers = organization === undefined ? {} : { "openai-organization": organization };

  async function call<Reply>(url: string, request: Omit<HttpRequest<Reply>, "headers" | "bearer">): Promise<Reply> {
    const bearer = await world.secret(adminKey);
    return world.http(url, { refusal: adminRefusal, ...request, headers, bearer });
  }

  return {
    headers,
    call,

    /** Every row of a listing, through all pages. */
    async rows<Row extends { readonly id: string }>(
      url: string,
      query: Readonly<Record<string, string>>,
      reply: z.ZodType<Page<Row>>,
      signal: AbortSignal,
    ): Promise<readonly Row[]> {
      const found = new Map<string, Row>();
      for (let after: string | undefined; ; ) {
        const asked = new URLSearchParams({ limit: "100", ...query, ...(after !== undefined && { after }) });
        const page = await call(`${url}?${asked}`, { action: "openai: list keys", method: "GET", reply, signal });
        for (const row of page.data) found.set(row.id, row);
        if (page.has_more !== true) return [...found.values()];
        // Admin keys are paged by the id of the last row, whether or not it is named once more.
        const last = page.last_id ?? page.data.at(-1)?.id;
        if (last === undefined || last === after) throw new AdapterError("malformed", "openai: list keys: a page that leads nowhere");
        after = last;
      }
    },

    /**
     * Runs the call that ends a key. That there is no such thing is believed only where the key is not listed either: a wrong
     * address says so of every key, and a part of the vendor that is behind of one that lives.
     */
    async end(ask: () => Promise<unknown>, keyId: string, list: () => Promise<readonly { readonly id: string }[]>): Promise<void> {
      try {
        await ask();
      } catch (error) {
        if (!hasCode(error, "notFound")) throw error;
        if ((await list()).some(({ id }) => id === keyId))
          throw new AdapterError("inconclusive", `openai: delete ${keyId}: it is said not to be there, and is listed`, { cause: error });
      }
    },

    /** Runs a call about one thing; `undefined` when the thing is gone, which `place` shows by being there. */
    async unlessGone<Reply>(ask: () => Promise<Reply>, place: () => Promise<unknown>): Promise<Reply | undefined> {
      try {
        return await ask();
      } catch (error) {
        if (!hasCode(error, "notFound")) throw error;
        await place();
        return undefined;
      }
    },
  };
}
