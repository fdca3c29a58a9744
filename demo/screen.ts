import { styleText } from "node:util";
import yoctoSpinner from "yocto-spinner";

/** The left column. */
const WIDTH = 11;
type Style = Parameters<typeof styleText>[0];

/** Colours only on a terminal, and never with NO_COLOR. */
const paint = (style: Style, text: string) => styleText(style, text, { stream: process.stdout });
const print = (text = "") => process.stdout.write(`${text}\n`);

/** Everything that the demo itself prints. */
export const screen = {
  title: (text: string) => print(paint("bold", text)),
  text: (text: string) => print(text),
  gap: () => print(),
  fact: (name: string, text: string) => print(`  ${paint("dim", name.padEnd(WIDTH))}${text}`),
  command: (text: string) => print(`\n${paint("dim", "$")} ${paint("cyan", text)}`),
  proof: (holds: boolean, name: string, text: string) =>
    print(`${holds ? paint("green", "✔") : paint("red", "✖")} ${paint("dim", name.padEnd(WIDTH))}${text}`),
  error: (text: string) => process.stderr.write(`${styleText("red", "demo: error:", { stream: process.stderr })} ${text}\n`),
  hint: (text: string) => process.stderr.write(`${styleText("cyan", "demo: hint:", { stream: process.stderr })} ${text}\n`),
  verdict: (holds: boolean, text: string) => print(`\n${paint(["bold", holds ? "green" : "red"], text)}`),
};

/** What went wrong, and what a person can do about it. */
export class Hinted extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** Shows that something takes its time: a spinner on a terminal, else one line. */
export async function showing<T>(text: string, work: Promise<T>): Promise<T> {
  const spinner = yoctoSpinner({ text, stream: process.stderr, handleSignals: false });
  if (process.stderr.isTTY) spinner.start();
  else print(`  ${text}`);
  try {
    return await work;
  } finally {
    spinner.stop();
  }
}
