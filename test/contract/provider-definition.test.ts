import { describe, expect, it } from "vitest";
import type { z } from "zod";
import type { ProviderDefinition } from "../../src/contract/provider.ts";
import type { FakeVendor } from "../fakes/index.ts";
import { startVendors } from "./provider-cases.ts";

const vendors = await startVendors();

describe.each(vendors)("definition of $name", ({ definition, vendor }: { definition: ProviderDefinition; vendor: FakeVendor }) => {
  const [good = {}] = Object.values(vendor.variants);

  it("refuses an unknown setting", () => {
    expect(definition.settings.safeParse(good).success).toBe(true);
    expect(definition.settings.safeParse({ ...good, colour: "red" }).success).toBe(false);
  });

  it("describes every setting", () => {
    for (const [name, field] of Object.entries(definition.settings.shape)) expect((field as z.ZodType).description, name).toMatch(/\w{3}/);
  });

  it("says in a clause what its calls do, and what it knows of the vendor", () => {
    const clause = /^[a-z][^\n]{10,}[^.]$/;
    expect(definition.describe(definition.settings.parse(good))).toMatchObject({
      create: expect.stringMatching(clause),
      revoke: expect.stringMatching(clause),
    });
    expect(definition.listLagMs).toBeGreaterThanOrEqual(0);
    expect(URL.canParse(definition.apiDocs)).toBe(true);
    expect(definition.title).not.toBe("");
  });
});
