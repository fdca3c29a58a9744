import type { ErrorCode } from "yaml";

/** The parser's own messages quote the file, and what they quote may be a secret. */
const PROBLEMS: Partial<Record<ErrorCode, readonly [message: string, hint: string]>> = {
  TAB_AS_INDENT: ["a tab as indentation", "YAML is indented with spaces"],
  BAD_INDENT: ["wrong indentation, or a bracket that is not closed", "lines of one mapping begin in the same column"],
  BAD_ALIAS: ["a wrong anchor or alias", "put text that begins with & or * in quotes"],
  BAD_SCALAR_START: ["text that begins with a reserved character", "put the text in quotes"],
  BAD_DQ_ESCAPE: ["an unknown escape in double quotes", "use single quotes where a backslash is meant"],
  MISSING_CHAR: ["a character is missing: a quote, a colon, a comma or a bracket", "look for what is opened and not closed further up"],
  MULTILINE_IMPLICIT_KEY: ["a name that goes over more than one line", "is there a colon missing after a name?"],
  BLOCK_AS_IMPLICIT_KEY: [
    "a mapping where a single value belongs",
    "put text with a colon in quotes, or begin the mapping on a line of its own",
  ],
  KEY_OVER_1024_CHARS: ["a name that is too long", "is there a quote missing?"],
  MULTIPLE_DOCS: ["a second document", "one file holds one configuration: remove the line ---"],
  TAG_RESOLVE_FAILED: ["an unknown tag", "put text that begins with ! in quotes"],
  BAD_DIRECTIVE: ["an unknown directive", "remove the line that begins with %"],
  RESOURCE_EXHAUSTION: ["too deeply nested", "a configuration is a few levels deep: look for stray brackets or dashes"],
};

/** What to say about a syntax error, without a word of the file. */
export function problemOf(code: ErrorCode): readonly [message: string, hint: string] {
  return PROBLEMS[code] ?? ["not valid YAML", "look at quotes, colons, brackets and indentation here and in the line above"];
}
