import { Document, Pair, Scalar, YAMLMap, YAMLSeq } from "yaml";
import type { Entry, Proposal, Setting } from "./proposal.ts";

const WIDTH = 138;

const SECTIONS = {
  providers: "The accounts at vendors, whose keys are rotated.",
  stores: "Where the keys are kept.",
  consumers: "Who uses them.",
  credentials:
    "What is rotated: each has one live key. What its consumers have as `provider` is the name under models.providers in openclaw.json.",
} as const;

const CONTROL: readonly Setting[] = [{ name: "act", value: [{ user: "root" }, { group: "rotated" }] }];

/** The proposal as a file that a person reads from top to bottom. */
export function writeProposal(proposal: Proposal): string {
  const document = new Document();
  const top = new YAMLMap();
  for (const [section, says] of Object.entries(SECTIONS) as [keyof typeof SECTIONS, string][]) {
    if (proposal[section].length > 0) top.add(pair(section, entries(document, proposal[section]), [says], top.items.length > 0));
  }
  top.add(pair("control", block(document, CONTROL), ["Who may talk to the daemon."], true));
  document.contents = top;
  document.commentBefore = comment(proposal.head);
  const tail = [leftParagraph(proposal.left), proposal.moving].filter((paragraph) => paragraph.length > 0);
  document.comment = tail.map(comment).join("\n\n");
  return document.toString({ nullStr: "", lineWidth: 0 });
}

/** What is not in the file, so that nobody believes that it is. */
function leftParagraph(left: readonly string[]): readonly string[] {
  return left.length === 0 ? [] : ["Found, and not rotated by this file:", ...left.map((clause) => `- ${clause}`)];
}

function entries(document: Document, all: readonly Entry[]): YAMLMap {
  const map = new YAMLMap();
  for (const [index, entry] of all.entries()) {
    const short =
      entry.settings.every(({ value, comment: said }) => value !== undefined && said === undefined) && entry.settings.length < 4;
    const value = short
      ? flow(document, Object.fromEntries(entry.settings.map(({ name, value: of }) => [name, of])))
      : block(document, entry.settings);
    map.add(pair(entry.name, value, entry.comment, index > 0 && !short));
  }
  return map;
}

function block(document: Document, settings: readonly Setting[]): YAMLMap {
  const map = new YAMLMap();
  for (const { name, value, comment: said } of settings) {
    map.add(pair(name, value === undefined ? new Scalar(null) : node(document, value), said === undefined ? [] : [said], false));
  }
  return map;
}

/** A list has a line for each of its mappings, and more where a list is inside; all else is in one line. */
function node(document: Document, value: unknown): unknown {
  if (!Array.isArray(value)) return flow(document, value);
  const list = new YAMLSeq();
  for (const item of value) list.add(holdsList(item) ? document.createNode(item) : flow(document, item));
  return list;
}

function holdsList(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.values(value).some(Array.isArray);
}

function flow(document: Document, value: unknown): unknown {
  return document.createNode(value, { flow: true });
}

function pair(name: string, value: unknown, said: readonly string[], space: boolean): Pair {
  const key = new Scalar(name);
  key.spaceBefore = space;
  if (said.length > 0) key.commentBefore = comment(said);
  return new Pair(key, value);
}

/** Lines of a comment: long ones are broken, and go on indented as they began. */
function comment(lines: readonly string[]): string {
  return lines
    .flatMap(wrapped)
    .map((line) => ` ${line}`)
    .join("\n");
}

function wrapped(line: string): readonly string[] {
  const [, indent = "", text = ""] = /^(- |\d\. | *)(.*)$/.exec(line) ?? [];
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.pop();
    if (last === undefined) lines.push(word);
    else if (indent.length + last.length + word.length < WIDTH) lines.push(`${last} ${word}`);
    else lines.push(last, word);
  }
  return lines.map((one, index) => (index === 0 ? indent : " ".repeat(indent.length)) + one);
}
