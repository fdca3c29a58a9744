import { type AdapterCode, AdapterError } from "./errors.ts";

/** What Node's errors of files mean to us. What is not here is an outage: the disk may have done it or not. */
// biome-ignore format: the columns are the point
const FILE_CODES = {
  ENOSPC:       { code: "full",          why: "no space left on the device" },
  EDQUOT:       { code: "full",          why: "the quota is used up", cure: "free some space, or raise the quota" },
  EROFS:        { code: "readOnly",      why: "read-only file system" },
  EACCES:       { code: "denied",        why: "permission denied" },
  EPERM:        { code: "denied",        why: "operation not permitted" },
  ENOENT:       { code: "notFound",      why: "no such file or directory" },
  ENOTDIR:      { code: "misconfigured", why: "a part of the path is not a directory" },
  EISDIR:       { code: "misconfigured", why: "it is a directory" },
  ELOOP:        { code: "misconfigured", why: "a symbolic link where a file is expected" },
  ENAMETOOLONG: { code: "misconfigured", why: "the name is too long" },
  EFBIG:        { code: "full",          why: "larger than this process may write", cure: "raise the limit on the size of files (LimitFSIZE=)" },
  EMFILE:       { code: "unavailable",   why: "too many open files" },
  EIO:          { code: "unavailable",   why: "input or output error", cure: "look at the disk: the kernel reports errors" },
  ERR_NO_REGULAR_FILE:
                { code: "misconfigured", why: "it is no regular file" },
  ERR_ENCODING_INVALID_ENCODED_DATA:
                { code: "misconfigured", why: "it is not UTF-8 text" },
} as const satisfies Record<string, { code: AdapterCode; why: string; cure?: string }>;

/**
 * An error of {@link Files} as an `AdapterError`. `action` says who does what, down to the path; `cures` say more about
 * single codes than their general hint. What already is an `AdapterError` stays as it is.
 */
export function fileError(error: unknown, action: string, cures: Partial<Record<AdapterCode, string>> = {}): AdapterError {
  if (error instanceof AdapterError) return error;
  const errno = errnoOf(error);
  const known: { code: AdapterCode; why: string; cure?: string } = FILE_CODES[errno as keyof typeof FILE_CODES] ?? {
    code: "unavailable",
    why: errno ?? "unknown error",
  };
  const cure = cures[known.code] ?? known.cure;
  return new AdapterError(known.code, `${action}: ${known.why}`, cure === undefined ? { cause: error } : { cause: error, cure });
}

/** Node's `code` of an error, such as `ENOENT`. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
