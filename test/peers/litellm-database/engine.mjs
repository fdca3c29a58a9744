#!/usr/bin/env node
// What Prisma's client for Python takes for the query engine's binary, which can only be downloaded: the same engine as WebAssembly,
// out of the npm package, with node-postgres for the connection. The client speaks GraphQL over HTTP, the engine JSON.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";

/** The engine's version, which the client asks for before anything else. */
const VERSION = "query-engine 393aa359c9ad4a4bb28630fb5613f9c281cde053";
if (process.argv.includes("--version")) {
  process.stdout.write(`${VERSION}\n`);
  process.exit(0);
}

const require = createRequire(import.meta.url);
const { PrismaPg } = require("@prisma/adapter-pg");
const { bindAdapter } = require("@prisma/driver-adapter-utils");
const { parse, valueFromASTUntyped } = require("graphql");
const pg = require("pg");

const ACTIONS =
  "createOne createMany deleteOne deleteMany updateOne updateMany upsertOne aggregate groupBy findMany findFirst findUnique".split(" ");
const [NAME, NAMES, TEXT, TEXTS] = [19, 1003, 25, 1009];

const datamodel = readFileSync(process.env.PRISMA_DML_PATH, "utf8");
/** The fields of each model that hold JSON. */
const jsonFields = new Map(
  [...datamodel.matchAll(/^model (\w+) \{([\s\S]*?)^\}/gm)].map(([, model, body]) => [
    model,
    new Set([...body.matchAll(/^\s+(\w+)\s+Json\b/gm)].map(([, field]) => field)),
  ]),
);
const engine = await connect();
const port = Number(process.argv[process.argv.indexOf("-p") + 1]);
createServer((request, response) => {
  handle(request).then(
    (answer) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer)),
    (error) => response.writeHead(500).end(String(error)),
  );
}).listen(port, "localhost");
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
// It is the standard input of the one who started the proxy.
process.stdin.resume().once("end", () => process.exit(0));

async function connect() {
  const glue = require("@prisma/client/runtime/query_engine_bg.postgresql.js");
  const wasm = readFileSync(require.resolve("@prisma/client/runtime/query_engine_bg.postgresql.wasm"));
  const { instance } = await WebAssembly.instantiate(wasm, { "./query_engine_bg.js": glue });
  glue.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start?.();
  const { DATABASE_URL } = process.env;
  const adapter = bindAdapter(new PrismaPg(poolOf(DATABASE_URL)));
  const options = { datamodel, logLevel: "error", logQueries: false, datasourceOverrides: {}, env: { DATABASE_URL }, configDir: "." };
  const made = new glue.QueryEngine({ ...options, ignoreEnvVarErrors: true, engineProtocol: "json" }, () => {}, adapter);
  await made.connect("");
  return made;
}

/** A pool in which columns of the type `name`, which the engine does not know, are text. */
function poolOf(connectionString) {
  const { query } = pg.Client.prototype;
  pg.Client.prototype.query = function (...args) {
    const answer = query.apply(this, args);
    return typeof answer?.then === "function" ? answer.then(withoutNames) : answer;
  };
  return new pg.Pool({ connectionString, max: 10 });
}

function withoutNames(result) {
  const parseTexts = pg.types.getTypeParser(TEXTS);
  for (const [column, field] of (result.fields ?? []).entries()) {
    if (field.dataTypeID === NAME) field.dataTypeID = TEXT;
    if (field.dataTypeID !== NAMES) continue;
    field.dataTypeID = TEXTS;
    for (const row of result.rows) if (typeof row[column] === "string") row[column] = parseTexts(row[column]);
  }
  return result;
}

async function handle(request) {
  const { url, headers } = request;
  const text = (await request.toArray()).join("");
  if (url === "/status") return { status: "ok" };
  if (url.startsWith("/metrics")) return { counters: [], gauges: [], histograms: [] };
  if (url === "/transaction/start") return JSON.parse(await engine.startTransaction(text, "{}"));
  const [, id, end] = /^\/transaction\/([^/]+)\/(commit|rollback)$/.exec(url) ?? [];
  if (end === "commit") return JSON.parse((await engine.commitTransaction(id, "{}")) || "{}");
  if (end === "rollback") return JSON.parse((await engine.rollbackTransaction(id, "{}")) || "{}");

  const { query, batch } = JSON.parse(text);
  const transaction = headers["x-transaction-id"];
  if (batch === undefined) return answerTo(query, transaction);
  const batchResult = [];
  for (const one of batch) batchResult.push(await answerTo(one.query, transaction));
  return { batchResult };
}

async function answerTo(text, transaction) {
  const [field] = parse(text).definitions[0].selectionSet.selections;
  const request = toRequest(field);
  const answer = JSON.parse(await engine.query(JSON.stringify(request), "{}", transaction));
  if (answer.errors) return answer;
  const [value] = Object.values(answer.data);
  return { data: { result: request.action === "queryRaw" ? value : plain(value) } };
}

/** `findManyLiteLLM_Model(where: …) { … }` as the engine's JSON. */
function toRequest(field) {
  const name = field.name.value;
  const args = argumentsOf(field);
  if (name === "queryRaw" || name === "executeRaw") return { action: name, query: { arguments: args, selection: {} } };
  const orThrow = name.endsWith("OrThrow") ? "OrThrow" : "";
  const base = name.slice(0, name.length - orThrow.length);
  const action = ACTIONS.find((candidate) => base.startsWith(candidate) && jsonFields.has(base.slice(candidate.length)));
  if (action === undefined) throw new Error(`the engine has no ${name}`);
  const modelName = base.slice(action.length);
  const query = { arguments: typed(args, jsonFields.get(modelName)), selection: selectionOf(field) };
  return { modelName, action: action + orThrow, query };
}

function argumentsOf(field) {
  return Object.fromEntries((field.arguments ?? []).map(({ name, value }) => [name.value, valueFromASTUntyped(value)]));
}

function selectionOf(field) {
  const chosen = (field.selectionSet?.selections ?? []).map((one) => {
    const isBare = one.selectionSet === undefined && (one.arguments ?? []).length === 0;
    return [one.name.value, isBare || { arguments: argumentsOf(one), selection: selectionOf(one) }];
  });
  return Object.fromEntries(chosen);
}

/** In GraphQL JSON is a text; the engine wants to be told which texts are JSON. */
function typed(value, fields, isJson = false) {
  if (Array.isArray(value)) return value.map((entry) => typed(entry, fields, isJson));
  if (isJson && typeof value === "string") return { $type: "Json", value };
  if (value === null || typeof value !== "object") return value;
  const stillJson = (name) => fields.has(name) || (isJson && ["set", "equals", "not"].includes(name));
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, typed(entry, fields, stillJson(name))]));
}

/** The engine's values without their types, as they stand in GraphQL. */
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$type === "string") return value.value;
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, plain(entry)]));
}
