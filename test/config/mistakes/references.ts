import { change, type Mistake } from "./mistake.ts";

/** Types, and names of other entries. */
export const REFERENCES: readonly Mistake[] = [
  {
    name: "a setting of a vendor that does not tell last use",
    text: change("acme: {", "plain: { type: plain, lastUsedLag: 1m }\n  acme: {"),
    says: ["2:25: providers.plain: unknown setting", "hint: settings here: listLag, revokeLag, type"],
  },
  {
    name: "a misspelled type",
    text: change("type: file", "type: fil"),
    says: ['4:18: stores.local.type: no type of store "fil"', 'hint: did you mean "file"?'],
  },
  {
    name: "an unknown type",
    text: change("type: file", "type: vault"),
    says: ["4:18: stores.local.type: no type of store of this name", "hint: one of: file"],
  },
  { name: "a missing type", text: change("{ type: file }", "{}"), says: ["4:3: stores.local.type: is missing", "hint: one of: file"] },
  {
    name: "a type that is no text",
    text: change("type: file", "type: [file]"),
    says: ["4:18: stores.local.type: a list where it does not belong", "hint: one of: file"],
  },
  {
    name: "a key in the place of a name",
    text: change("prod:", "sk-proj-canary-0123456789012345678901234567890123456789:"),
    says: [
      "8:3: credentials.?: not a valid name",
      "hint: give lower-case letters, digits and dashes, beginning with a letter or digit, 48 at most",
    ],
  },
  {
    name: "a key in the place of a provider's name, and a misspelled setting below it",
    text: change("acme: { type: acme, ", "sk-proj-canary-0123456789012345678901234567890123456789: { type: acme, adminKye: 1, "),
    says: [
      "2:3: providers.?: not a valid name",
      "hint: give lower-case letters, digits and dashes, beginning with a letter or digit, 48 at most",
      "2:74: providers.?.adminKye: unknown setting",
      'hint: did you mean "adminKey"?',
      "9:15: credentials.prod.provider: no provider of this name",
      "hint: providers of this file: ?",
    ],
  },
  {
    name: "a misspelled provider",
    text: change("provider: acme\n", "provider: amce\n"),
    says: ['9:15: credentials.prod.provider: no provider "amce"', 'hint: did you mean "acme"?'],
  },
  {
    name: "an unknown provider",
    text: change("provider: acme\n", "provider: sk-proj-canary-1\n"),
    says: ["9:15: credentials.prod.provider: no provider of this name", "hint: providers of this file: acme"],
  },
  {
    name: "a missing provider",
    text: change("    provider: acme\n", ""),
    says: ["8:3: credentials.prod.provider: is missing", "hint: add provider: the name of one of `providers`"],
  },
  {
    name: "a misspelled store",
    text: change("use: local", "use: locl"),
    says: ['10:19: credentials.prod.store.use: no store "locl"', 'hint: did you mean "local"?'],
  },
  {
    name: "a misspelled consumer",
    text: change("use: gateway", "use: gatway"),
    says: ['11:24: credentials.prod.consumers[0].use: no consumer "gatway"', 'hint: did you mean "gateway"?'],
  },
  {
    name: "a missing use",
    text: change("use: local, ", ""),
    says: ["10:5: credentials.prod.store.use: is missing", "hint: stores of this file: local"],
  },
  {
    name: "no stores at all",
    text: change("stores:\n  local: { type: file }\n", ""),
    says: ["8:19: credentials.prod.store.use: no store of this name", "hint: there are no stores: add one under stores"],
  },
  {
    name: "no consumer",
    text: change("consumers: [{ use: gateway, provider: acme }]", "consumers: []"),
    says: [
      "11:16: credentials.prod.consumers: no consumer: nothing would show that a new key is in use, so no old key could be revoked",
      "hint: say who uses it: { use: NAME, … }, where `use` names one of `consumers`",
    ],
  },
  {
    name: "a mirror in the place of the store",
    text: change("every: 30d", "mirrors: [{ use: local, path: /keys.json, field: /acme }]"),
    says: ["12:15: credentials.prod.mirrors[0]: the same place twice", "hint: give each credential places of its own"],
  },
  {
    name: "two credentials in one place",
    text: change(
      "    every: 30d\n",
      "  second: { provider: acme, store: { use: local, path: /keys.json, field: /acme }, consumers: [{ use: gateway, provider: acme }] }\n",
    ),
    says: ['12:36: credentials.second.store: the same place as credential "prod"', "hint: give each credential places of its own"],
  },
  {
    name: "a group that is granted a value: only the uid of a caller counts there",
    text: change("every: 30d", "resolve: [{ group: openclaw }]"),
    says: [
      "12:15: credentials.prod.resolve[0].user: is missing",
      "hint: add user: a user, by name or number",
      "12:17: credentials.prod.resolve[0]: unknown setting",
      "hint: settings here: user",
    ],
  },
  {
    name: "a user that is granted a value without brackets around it",
    text: change("every: 30d", "resolve: { user: alice }"),
    says: [
      "12:14: credentials.prod.resolve: a mapping where it does not belong",
      "hint: give a list: [a, b], or lines that begin with a dash",
    ],
  },
  {
    name: "a granted name that OpenClaw would refuse as an id",
    text: change("prod:", "prod_openai:").replace("every: 30d", "resolve: [{ user: alice }]"),
    says: [
      "8:3: credentials.?: not a valid name",
      "hint: give lower-case letters, digits and dashes, beginning with a letter or digit, 48 at most",
    ],
  },
  {
    name: "a number in the place of yes or no",
    text: change("providers:", "network: { allowHttp: 1 }\nproviders:"),
    says: ["1:23: network.allowHttp: a number where it does not belong", "hint: give true or false"],
  },
  {
    name: "yes in the place of true",
    text: change("providers:", "network: { allowHttp: yes }\nproviders:"),
    says: ["1:23: network.allowHttp: text where it does not belong", "hint: give true or false"],
  },
  {
    name: "text in the place of a list",
    text: change("providers:", "network: { ca: /etc/ca.pem }\nproviders:"),
    says: ["1:16: network.ca: text where it does not belong", "hint: give a list: [a, b], or lines that begin with a dash"],
  },
];
