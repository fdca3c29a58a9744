import type { z } from "zod";
import { AdapterError } from "../contract/errors.ts";

/** An answer of the SDK in its documented shape; throws `malformed` for another one. */
export function documented<Reply>(shape: z.ZodType<Reply>, reply: unknown, action: string): Reply {
  const parsed = shape.safeParse(reply);
  if (parsed.success) return parsed.data;
  throw new AdapterError("malformed", `aws: ${action}: the answer has another shape than documented`);
}
