import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

export const shippedPolicy = (file: string): string => readFileSync(new URL(`../../examples/${file}`, import.meta.url), "utf8");

/** Tests that a policy is enough for a life of what it is for, and that nothing of it is too much: without any one right that life fails. */
export function itIsEnoughAndNoMore(
  policy: string,
  world: { readonly rights: number; life(): Promise<void>; set(policy: string): Promise<unknown> },
): void {
  const rights = [...policy.matchAll(/path "([^"]+)" \{\n {2}capabilities = \[([^\]]+)\]/g)].flatMap(([block = "", path = "", list = ""]) =>
    [...list.matchAll(/"(\w+)"/g)].map(([, right = ""]) => ({ block, path, right })),
  );

  it("is enough", () => world.life());

  it("has rights to take away", () => expect(rights).toHaveLength(world.rights));

  it.each(rights)("needs $right on $path", async ({ block, right }) => {
    const without = block.replace(new RegExp(`"${right}"(, )?`), "").replace(", ]", "]");
    await world.set(policy.replace(block, without));
    await expect(world.life()).rejects.toThrow();
  });
}
