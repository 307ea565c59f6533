/**
 * The line protocol, the original's and JSON-RPC 2.0: reads a request, writes an answer.
 *
 * Pure: it knows no plugin and no pipe, and never answers in another form than it was asked in.
 */

import { BadRequest, type Method, UnknownMethod } from "./dispatch.js";
import type { Line } from "./lines.js";
import { bounded, errorText, type Plain, toJson } from "./plain.js";

/** The longest line, in bytes, in both directions. */
export const MOST_LINE_BYTES = 1024 * 1024;

/** What each method is called in a line. */
const METHODS: Readonly<Record<string, Method>> = Object.assign(Object.create(null), {
  Info: "info",
  Configure: "configure",
  Initialize: "initialize",
  CheckIdle: "check_idle",
  HandleEvent: "handle_event",
  GetSupportedEvents: "supported_events",
  Shutdown: "shutdown",
});

const UTF_8 = new TextDecoder("utf-8", { fatal: true });

/** How a request was asked, and so how it is answered. */
export type Form = "original" | "json-rpc";

/** What an answer needs of its request. */
export interface Asked {
  readonly form: Form;
  /** As JSON. */
  readonly id: string;
  /** False for JSON-RPC's notifications, which nobody answers. */
  readonly wantsAnswer: boolean;
}

/** A request that can be answered. */
export interface Request extends Asked {
  readonly method: Method;
  /** What the method is called in this protocol. */
  readonly named: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** A line that is no such request, and why. */
export interface Refused extends Asked {
  readonly refused: Error;
}

/** The line is no JSON at all. */
class NoJson extends BadRequest {}

/** Reads a line. `form` is the one of the last request, for what cannot be read. */
export function read(line: Line, form: Form): Request | Refused {
  const unread: Asked = { form, id: "null", wantsAnswer: true };
  if ("tooLong" in line) {
    return { ...unread, refused: new BadRequest(`the line is longer than ${MOST_LINE_BYTES} bytes`) };
  }
  let text: string;
  let value: unknown;
  try {
    text = UTF_8.decode(line.bytes);
    value = JSON.parse(text);
  } catch (error) {
    return { ...unread, refused: new NoJson(`the line is no JSON: ${errorText(error)}`) };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { ...unread, refused: new BadRequest("a request is an object") };
  }
  return request(value as Record<string, unknown>, text);
}

function request(value: Record<string, unknown>, text: string): Request | Refused {
  const { jsonrpc, method: named, params = {}, id } = value;
  const asked: Asked = {
    form: jsonrpc === "2.0" ? "json-rpc" : "original",
    id: idAsJson(id, text),
    wantsAnswer: jsonrpc !== "2.0" || id !== undefined,
  };
  if (typeof named !== "string") return { ...asked, refused: new BadRequest("the request has no method") };
  const method = METHODS[named];
  if (method === undefined) return { ...asked, refused: new UnknownMethod(named) };
  if (typeof params !== "object" || params === null || Array.isArray(params)) {
    return { ...asked, refused: new BadRequest(`${named}: params is no object`) };
  }
  return { ...asked, method, named, params: params as Record<string, unknown> };
}

/** An id comes back as it was, also where JavaScript has no number for it. */
function idAsJson(id: unknown, text: string): string {
  if (typeof id === "string") return JSON.stringify(id.toWellFormed());
  if (typeof id !== "number") return "null";
  return Number.isSafeInteger(id) ? String(id) : (topLevelNumber(text, "id") ?? "null");
}

/** The digits of a number among an object's own keys; the text is known to be JSON. */
function topLevelNumber(text: string, key: string): string | undefined {
  let found: string | undefined;
  let level = 0;
  let lastString = "";
  // A text, a bracket, or a number after its colon: all else is of no interest.
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]|:\s*-?\d[\d.eE+-]*/g)) {
    if (token === "{" || token === "[") level += 1;
    else if (token === "}" || token === "]") level -= 1;
    else if (token.startsWith('"')) lastString = token;
    else if (level === 1 && JSON.parse(lastString) === key) found = token.slice(1).trim();
  }
  return found;
}

/** The line that says a result. */
export function resultLine(asked: Asked, result: Plain): string {
  return line(asked, `"result":${toJson(result)}`);
}

/** The line that says that it failed. `text` is what is said, and `thrown` decides JSON-RPC's code. */
export function errorLine(asked: Asked, thrown: unknown, text: string): string {
  const said = JSON.stringify(bounded(text, 500));
  const error = asked.form === "json-rpc" ? `{"code":${code(thrown)},"message":${said}}` : said;
  return line(asked, `"error":${error}`);
}

function line({ form, id }: Asked, body: string): string {
  const jsonrpc = form === "json-rpc" ? '"jsonrpc":"2.0",' : "";
  return `{${jsonrpc}${body},"id":${id}}\n`;
}

function code(thrown: unknown): number {
  if (thrown instanceof UnknownMethod) return -32601;
  if (thrown instanceof NoJson) return -32700;
  if (thrown instanceof BadRequest) return -32600;
  // The first of those that JSON-RPC leaves to the one who answers.
  return -32000;
}
