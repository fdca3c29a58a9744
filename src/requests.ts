import { z } from "zod";
import { MAX_WATCH_MS, type Operation, type Request } from "./api.ts";
import { Secret } from "./contract/secret.ts";

const text = (most: number) => z.string().min(1, "is empty").max(most, `is longer than ${most} characters`);
const name = text(200);
const reason = text(500);
const count = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const nothing = z.strictObject({});
const named = z.strictObject({ name });
const which = z.union([named, z.strictObject({ all: z.literal(true) })], { error: "either `name` or `all: true`" });

/** What each request must look like, from path, query and body together. Numbers in a path or query arrive as text. */
export const REQUESTS: { readonly [Op in Operation]: z.ZodType<Request<Op>> } = {
  status: nothing,
  show: named,
  history: z.strictObject({
    name: name.exactOptional(),
    limit: count.min(1, "is below 1").max(1000, "is above 1000").default(50),
    before: count.exactOptional(),
  }),
  watch: z.strictObject({ id: count, after: count.default(0), waitMs: count.max(MAX_WATCH_MS).default(0) }),
  plan: named,
  check: nothing,
  rotate: z.union(
    [
      z.strictObject({ name, now: z.boolean().default(false), reason: reason.exactOptional() }),
      z.strictObject({ all: z.literal(true), now: z.boolean().default(false), reason: reason.exactOptional() }),
    ],
    { error: "either `name` or `all: true`, and beside it only `now` and `reason`" },
  ),
  rehearse: z.strictObject({ name, reason: reason.exactOptional() }),
  pause: which,
  resume: which,
  cancel: named,
  retry: named,
  abandon: named,
  adopt: z.strictObject({ name, keyId: name.exactOptional() }),
  intake: z.strictObject({
    name,
    secret: text(16_384).transform((value) => new Secret(value)),
    keyId: name.exactOptional(),
  }),
  retire: named,
  pair: z.strictObject({ consumer: name }),
};
