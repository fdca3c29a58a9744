import { expect, test } from "vitest";
import { importAll, importNamed, type Registry } from "../../src/config/registry.ts";
import { REGISTRY } from "../../src/registry.ts";
import { plugs } from "./plugs.ts";

/** A registry of the plugs that the tests of the configuration use; says which of them were imported. */
function watched() {
  const imported: string[] = [];
  const lazily = <Definition>(definitions: Readonly<Record<string, Definition>>) =>
    Object.fromEntries(
      Object.entries(definitions).map(([type, definition]) => [
        type,
        async () => {
          imported.push(type);
          return definition;
        },
      ]),
    );
  const registry: Registry = {
    providers: lazily(plugs.providers),
    stores: lazily(plugs.stores),
    consumers: lazily(plugs.consumers),
  };
  return { registry, imported };
}

const named = (types: readonly unknown[]) => new Map(types.map((type, index) => [`name-${index}`, type]));

test("only what a file names is imported", async () => {
  const { registry, imported } = watched();
  const names = { providers: named(["acme", "acme"]), stores: named([]), consumers: named(["gateway"]) };
  const found = await importNamed(registry, names);
  expect(imported.sort()).toEqual(["acme", "gateway"]);
  expect(found.providers).toEqual({ acme: plugs.providers["acme"] });
});

test.each([["amce"], [undefined], [7], ["toString"]])(
  "a type that is not there (%s) brings all of its section, so that the right one can be told",
  async (type) => {
    const { registry, imported } = watched();
    await importNamed(registry, { providers: named([type]), stores: named([]), consumers: named([]) });
    expect(imported.sort()).toEqual(Object.keys(plugs.providers).sort());
  },
);

test("each entry of the registry can be imported, and no provider stands there twice", async () => {
  const { providers, stores, consumers } = await importAll(REGISTRY);
  for (const definition of [...Object.values(providers), ...Object.values(stores), ...Object.values(consumers)]) {
    expect(definition.title).toMatch(/\S/);
  }
  const titles = Object.values(providers).map(({ title }) => title);
  expect(new Set(titles).size).toBe(titles.length);
});
