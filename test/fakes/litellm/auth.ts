import { type Refusal, refusal } from "./replies.ts";
import { hashOf, type Vendor } from "./vendor.ts";

/** A key that is nobody's is told the same as a key that was deleted. */
export function mustBeAdmin(vendor: Vendor, { replica, path, bearer }: { replica: number; path: string; bearer: string }): void {
  if (bearer === vendor.masterKey) return;
  if (vendor.seenBy(replica, bearer) === undefined) throw unknownKey(bearer);
  if (path === "/key/list") {
    const message = "You are not authorized to access this endpoint. No 'user_id' is associated with your API key.";
    throw refusal(403, "bad_request_error", message, "user_id");
  }
  const message = `Authentication Error, Only proxy admin can be used to generate, delete, update info for new keys/users/teams. Route=${path}.`;
  throw refusal(401, "auth_error", `${message} Your role=unknown.`, "None");
}

/** What a key is told that is not in the database. */
export function unknownKey(bearer: string): Refusal {
  if (!bearer.startsWith("sk-")) {
    const shown = `${bearer.slice(0, 4)}****${bearer.slice(-4)}`;
    return refusal(401, "auth_error", `LiteLLM Virtual Key expected. Received=${shown}, expected to start with 'sk-'.`, "None");
  }
  const shown = `Received API Key = sk-...${bearer.slice(-4)}, Key Hash (Token) =${hashOf(bearer)}`;
  const message = `Authentication Error, Invalid proxy server token passed. ${shown}. Unable to find token in cache or \`LiteLLM_VerificationTokenTable\``;
  return refusal(401, "token_not_found_in_db", message, "key");
}
