import { change, type Mistake } from "./mistake.ts";

/** Secrets and addresses. */
export const SECRETS: readonly Mistake[] = [
  {
    name: "a literal secret",
    text: change("adminKey: { credential: acme-admin }", "adminKey: sk-proj-canary-1"),
    says: [
      "2:50: providers.acme.adminKey: a secret is given as a reference: { credential: NAME }, { file: /PATH }, { store: NAME } or { env: NAME }, never as the value",
      "hint: put the value in a file that only rotated can read, and name it: { file: /PATH }, or { credential: NAME } with systemd",
    ],
  },
  {
    name: "a literal secret in braces",
    text: change("{ credential: acme-admin }", "{ sk-proj-canary-1 }"),
    says: [
      "2:50: providers.acme.adminKey: a secret is given as a reference: { credential: NAME }, { file: /PATH }, { store: NAME } or { env: NAME }, never as the value",
      "hint: put the value in a file that only rotated can read, and name it: { file: /PATH }, or { credential: NAME } with systemd",
      "2:52: a name without a value",
      "hint: write it as `name: value`, or `name: {}` where it takes settings but needs none",
    ],
  },
  {
    name: "a literal secret as a number",
    text: change("{ credential: acme-admin }", "12345678"),
    says: [
      "2:50: providers.acme.adminKey: a secret is given as a reference: { credential: NAME }, { file: /PATH }, { store: NAME } or { env: NAME }, never as the value",
      "hint: put the value in a file that only rotated can read, and name it: { file: /PATH }, or { credential: NAME } with systemd",
    ],
  },
  {
    name: "a missing secret",
    text: change(", adminKey: { credential: acme-admin }", ""),
    says: [
      "2:3: providers.acme.adminKey: is missing",
      "hint: add adminKey: a secret is given as a reference: { credential: NAME }, { file: /PATH }, { store: NAME } or { env: NAME }, never as the value",
    ],
  },
  {
    name: "a misspelled reference",
    text: change("credential: acme-admin", "credentail: acme-admin"),
    says: [
      "2:50: providers.acme.adminKey: a secret is given as a reference: { credential: NAME }, { file: /PATH }, { store: NAME } or { env: NAME }, never as the value",
      'hint: did you mean "credential"?',
    ],
  },
  {
    name: "a reference with a wrong name",
    text: change("credential: acme-admin", "credential: ../canary"),
    says: ["2:64: providers.acme.adminKey.credential: not a valid value", "hint: give letters, digits, dot, dash and underscore only"],
  },
  {
    name: "two references in one",
    text: change("credential: acme-admin", "credential: acme-admin, file: /canary"),
    says: [
      "2:50: providers.acme.adminKey: a secret is given as a reference: { credential: NAME }, { file: /PATH }, { store: NAME } or { env: NAME }, never as the value",
      "hint: put the value in a file that only rotated can read, and name it: { file: /PATH }, or { credential: NAME } with systemd",
    ],
  },
  {
    name: "plain ws to another host",
    text: change("ws://127.0.0.1:18789", "ws://gateway.example.com"),
    says: [
      "6:34: consumers.gateway.url: plain http or ws to another host",
      "hint: use https or wss; or, where the network in between is trusted, set network.allowHttp",
    ],
  },
  {
    name: "plain http to another host",
    text: change("project: proj_1", "project: proj_1, baseUrl: http://127.0.0.1.example.com"),
    says: [
      "2:49: providers.acme.baseUrl: plain http or ws to another host",
      "hint: use https or wss; or, where the network in between is trusted, set network.allowHttp",
    ],
  },
  {
    name: "plain http to a name that a resolver may lead anywhere",
    text: change("project: proj_1", "project: proj_1, baseUrl: http://llm.localhost"),
    says: [
      "2:49: providers.acme.baseUrl: plain http or ws to another host",
      "hint: use https or wss; or, where the network in between is trusted, set network.allowHttp",
    ],
  },
  {
    name: "a password in an address",
    text: change("project: proj_1", "project: proj_1, baseUrl: https://me:canary@example.com"),
    says: ["2:49: providers.acme.baseUrl: no user name or password in an address", "hint: baseUrl: the address of the API"],
  },
];
