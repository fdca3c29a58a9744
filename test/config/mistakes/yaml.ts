import { change, type Mistake } from "./mistake.ts";

/** What YAML itself forbids, or allows and we do not. */
export const YAML: readonly Mistake[] = [
  {
    name: "a section twice",
    text: change("stores:", "providers: {}\nstores:"),
    says: ["3:1: the same name twice", "hint: it is given in line 1, too: remove one of the two"],
  },
  {
    name: "a credential twice",
    text: change("    every: 30d\n", "  prod: {}\n"),
    says: ["12:3: the same name twice", "hint: it is given in line 8, too: remove one of the two"],
  },
  { name: "a number as a name", text: change("prod:", "1:"), says: ["8:3: a name that is no text", "hint: put the name in quotes"] },
  {
    name: "a name that JavaScript keeps for itself",
    text: change("prod:", "__proto__:"),
    says: ["8:3: not a name that can be used", "hint: take another one"],
  },
  {
    name: "a merge key",
    text: change("every: 30d", "<<: { every: 30d }"),
    says: ["12:5: merge keys are not part of YAML 1.2", "hint: write the settings out, or give the whole mapping an alias"],
  },
  {
    name: "an alias of nothing",
    text: change("every: 30d", "every: *canary"),
    says: [
      "12:12: an alias of nothing",
      "hint: a name after * needs the same name after & further up; put text that begins with * in quotes",
    ],
  },
  {
    name: "an alias of itself",
    text: change("every: 30d", "window: &canary { zone: *canary }"),
    says: [
      "12:5: credentials.prod.window.from: is missing",
      "hint: add from: when it opens",
      "12:5: credentials.prod.window.to: is missing",
      "hint: add to: when it closes; earlier than `from` means the next day",
      "12:29: an alias of nothing",
      "hint: a name after * needs the same name after & further up; put text that begins with * in quotes",
    ],
  },
  { name: "a tab", text: change("    every", "\tevery"), says: ["12:1: a tab as indentation", "hint: YAML is indented with spaces"] },
  {
    name: "a bracket that is not closed",
    text: change("provider: acme }]", "provider: acme }"),
    says: ["12:5: wrong indentation, or a bracket that is not closed", "hint: lines of one mapping begin in the same column"],
  },
  {
    name: "a quote that is not closed",
    text: change("every: 30d", 'every: "sk-proj-canary-1'),
    says: [
      "13:1: a character is missing: a quote, a colon, a comma or a bracket",
      "hint: look for what is opened and not closed further up",
    ],
  },
  {
    name: "wrong indentation",
    text: change("    every", "   every"),
    says: ["12:1: wrong indentation, or a bracket that is not closed", "hint: lines of one mapping begin in the same column"],
  },
  {
    name: "a tag",
    text: change("every: 30d", "every: !canary 30d"),
    says: ["12:12: an unknown tag", "hint: put text that begins with ! in quotes"],
  },
  {
    name: "a second document",
    text: change("every: 30d\n", "every: 30d\n---\ncanary: 1\n"),
    says: ["13:1: a second document", "hint: one file holds one configuration: remove the line ---"],
  },
  {
    name: "an empty file",
    text: "",
    says: [
      "1:1: the file is empty",
      "hint: begin with `providers:`, `stores:`, `consumers:` and `credentials:`; docs/configuration.md has them all",
    ],
  },
  {
    name: "a file of comments",
    text: "# nothing\n",
    says: [
      "1:1: the file is empty",
      "hint: begin with `providers:`, `stores:`, `consumers:` and `credentials:`; docs/configuration.md has them all",
    ],
  },
  {
    name: "a list",
    text: "- canary\n",
    says: [
      "1:1: the file is not a mapping",
      "hint: begin with `providers:`, `stores:`, `consumers:` and `credentials:`; docs/configuration.md has them all",
    ],
  },
  {
    name: "a text",
    text: "canary\n",
    says: [
      "1:1: the file is not a mapping",
      "hint: begin with `providers:`, `stores:`, `consumers:` and `credentials:`; docs/configuration.md has them all",
    ],
  },
];
