import { type Answer, Refused } from "../http-fake.ts";

/** What a service that speaks AWS's Query protocol answers. */
export interface XmlAnswer extends Answer {
  readonly body: string;
}

/** AWS's HTTP status for each of its words that the fakes use. */
const HTTP_STATUS = {
  AccessDenied: 403,
  IncompleteSignature: 400,
  InvalidAction: 400,
  InvalidClientTokenId: 403,
  LimitExceeded: 409,
  MissingAuthenticationToken: 403,
  NoSuchEntity: 404,
  NotSupportedService: 404,
  RequestExpired: 400,
  SignatureDoesNotMatch: 403,
  Throttling: 400,
  ValidationError: 400,
} as const;

export type Word = keyof typeof HTTP_STATUS;

/** A refusal in AWS's error shape. */
export class AwsRefused extends Refused {
  readonly word: Word;

  constructor(word: Word, message: string) {
    super(message, errorAnswer(HTTP_STATUS[word], word, message));
    this.word = word;
  }
}

export function errorAnswer(status: number, word: string, message: string): XmlAnswer {
  const type = status >= 500 ? "Receiver" : "Sender";
  const error = `<Error><Type>${type}</Type><Code>${word}</Code><Message>${escaped(message)}</Message></Error>`;
  return xml(status, `<ErrorResponse ${NAMESPACE}>${error}<RequestId>${crypto.randomUUID()}</RequestId></ErrorResponse>`);
}

/** The answer of an action, with `result` in XML; without it the action answers nothing but that it was done. */
export function actionAnswer(action: string, result?: string): XmlAnswer {
  const inner = result === undefined ? "" : `<${action}Result>${result}</${action}Result>`;
  const metadata = `<ResponseMetadata><RequestId>${crypto.randomUUID()}</RequestId></ResponseMetadata>`;
  return xml(200, `<${action}Response ${NAMESPACE}>${inner}${metadata}</${action}Response>`);
}

/** Elements by their names; those without a value are left out. */
export function elements(fields: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(fields)
    .map(([name, value]) => (value === undefined ? "" : `<${name}>${escaped(value)}</${name}>`))
    .join("");
}

const xml = (status: number, body: string): XmlAnswer => ({ status, body, headers: { "content-type": "text/xml" } });

const NAMESPACE = 'xmlns="https://iam.amazonaws.com/doc/2010-05-08/"';
const escaped = (text: string) => text.replace(/[&<>]/g, (letter) => `&#${letter.charCodeAt(0)};`);

/** Refuses every parameter of an action that is not known, and every one that is not well-formed. */
export function checkParameters(form: URLSearchParams, known: Readonly<Record<string, RegExp>>): void {
  for (const [name, value] of form) {
    if (name === "Action" || name === "Version") continue;
    const wellFormed = known[name];
    if (wellFormed === undefined) throw new AwsRefused("ValidationError", `Unknown parameter ${name}`);
    if (!wellFormed.test(value)) throw new AwsRefused("ValidationError", `Value at '${name}' failed to satisfy constraint`);
  }
}
