const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

/** Random lower-case base32: five bits a letter. */
export function randomName(letters: number, random: (bytes: number) => Uint8Array): string {
  let name = "";
  for (const byte of random(letters)) name += ALPHABET[byte % ALPHABET.length];
  return name;
}

/** `rotated-<installation>-<intent>`: at most 40 characters, and never the same twice. */
export function newLabel(installation: string, random: (bytes: number) => Uint8Array): string {
  return `rotated-${installation}-${randomName(20, random)}`;
}
