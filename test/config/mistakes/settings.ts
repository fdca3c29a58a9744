import { change, type Mistake } from "./mistake.ts";

/** Settings, names and values. */
export const SETTINGS: readonly Mistake[] = [
  {
    name: "an unknown section",
    text: change("providers:", "provider: {}\nproviders:"),
    says: ["1:1: provider: unknown setting", 'hint: did you mean "providers"?'],
  },
  {
    name: "an unknown setting that resembles none",
    text: change("every: 30d", "colour: sk-proj-canary-1"),
    says: [
      "12:5: credentials.prod: unknown setting",
      "hint: settings here: provider, store, mirrors, consumers, resolve, every, cron, zone, window, overlap, jitter, onIncident",
    ],
  },
  {
    name: "a misspelled setting",
    text: change("every: 30d", "evry: 30d"),
    says: ["12:5: credentials.prod.evry: unknown setting", 'hint: did you mean "every"?'],
  },
  {
    name: "a misspelled setting in a list",
    text: change("provider: acme }]", "provider: acme, provder: x }]"),
    says: ["11:49: credentials.prod.consumers[0].provder: unknown setting", 'hint: did you mean "provider"?'],
  },
  {
    name: "an entry that is no mapping",
    text: change("{ type: file }", "file"),
    says: ["4:10: stores.local: text where it does not belong", "hint: give a mapping: { name: value }, or indented lines of name: value"],
  },
  {
    name: "an entry without anything",
    text: change("{ type: file }", ""),
    says: ["4:3: stores.local: has no value", "hint: give a mapping: { name: value }, or indented lines of name: value"],
  },
  {
    name: "a section that is a list",
    text: change("stores:\n  local: { type: file }", "stores: [local]"),
    says: [
      "3:9: stores: a list where it does not belong",
      "hint: give a mapping: { name: value }, or indented lines of name: value",
      "9:19: credentials.prod.store.use: no store of this name",
      "hint: there are no stores: add one under stores",
    ],
  },
  {
    name: "a name with capitals",
    text: change("prod:", "Prod:"),
    says: [
      "8:3: credentials.Prod: not a valid name",
      "hint: give lower-case letters, digits and dashes, beginning with a letter or digit, 48 at most",
    ],
  },
  {
    name: "a missing setting",
    text: change("project: proj_1, ", ""),
    says: ["2:3: providers.acme.project: is missing", "hint: add project: the project of the keys"],
  },
  {
    name: "a wrong format, with the vendor's words",
    text: change("proj_1", "canary"),
    says: ["2:32: providers.acme.project: not a valid value", "hint: give the id of a project, such as proj_123"],
  },
  {
    name: "a misspelled choice",
    text: change("every: 30d", "onIncident: mintfirst"),
    says: ["12:17: credentials.prod.onIncident: not a valid value", 'hint: did you mean "mint-first"?'],
  },
  {
    name: "a relative state directory",
    text: change("providers:", "stateDirectory: state\nproviders:"),
    says: ["1:17: stateDirectory: not a valid value", "hint: give an absolute path"],
  },
  {
    name: "a caller by bare name",
    text: change("providers:", "control: { act: [root] }\nproviders:"),
    says: ["1:18: control.act[0]: a caller is given as { user: NAME } or { group: NAME }", "hint: give exactly one of them"],
  },
  {
    name: "a misspelled caller",
    text: change("providers:", "control: { read: [{ grup: adm }] }\nproviders:"),
    says: ["1:19: control.read[0]: a caller is given as { user: NAME } or { group: NAME }", 'hint: did you mean "group"?'],
  },
  {
    name: "a caller with a negative id",
    text: change("providers:", "control: { read: [{ user: -1 }] }\nproviders:"),
    says: ["1:27: control.read[0].user: not a valid value", "hint: give at least 0"],
  },
];
