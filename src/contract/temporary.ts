/** How temporary files are called, so that who finds one after a crash knows whose it is. */
const SUFFIX = ".rotated-tmp";

/** The name of a temporary file that shall become `name`; `random` is hexadecimal. */
export function temporaryName(name: string, random: string): string {
  return `${name}.${random}${SUFFIX}`;
}

/** The name that a temporary file was to become; `undefined` for any other file. */
export function nameBehindTemporary(name: string): string | undefined {
  return name.endsWith(SUFFIX) ? /^(.+)\.[0-9a-f]+$/s.exec(name.slice(0, -SUFFIX.length))?.[1] : undefined;
}
