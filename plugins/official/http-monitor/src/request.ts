/**
 * Reads a line of an access log: common and combined format, and JSON as nginx and Caddy write it.
 *
 * Pure; it never guesses: a line that is none of these is told apart from a request, and from a line that is
 * no request.
 */

import { quoted } from "./quoted.js";

/** What is known of a request; empty is a field that the line does not have. */
export interface Request {
  /** Without what follows a `?`. */
  readonly path: string;
  readonly agent: string;
  /** The client's address, as the server wrote it. */
  readonly address: string;
}

/** The names that fields have in JSON, with dots between the levels; what is empty is looked for. */
export interface JsonFields {
  readonly path: string;
  readonly agent: string;
  readonly address: string;
}

/** A request; `other` for a line that tells of something else; undefined where it cannot be read. */
export function readLine(line: string, fields: JsonFields): Request | "other" | undefined {
  return line.startsWith("{") ? readJson(line, fields) : readCombined(line);
}

/**
 * `[host] address identity user [time] "GET /path HTTP/1.1" status size ["referer" "agent"] …`
 *
 * What stands behind is the server's own and not looked at. A user's name may hold anything but a quote: the
 * first quote opens the request.
 */
function readCombined(line: string): Request | undefined {
  const opens = firstQuote(line);
  if (opens < 2 || line.slice(opens - 2, opens) !== "] ") return undefined;
  const head = line.slice(0, opens - 2);
  const time = head.lastIndexOf(" [");
  const words = head.slice(0, Math.max(time, 0)).split(" ");
  if (time === -1 || words.length < 3) return undefined;
  const request = quoted(line, opens);
  if (request === undefined) return undefined;
  const numbers = /^ (?:\d{3}|-) (?:\d+|-)(?= |$)/.exec(line.slice(request.end, request.end + 40));
  if (numbers === null) return undefined;
  return {
    path: pathOf(request.text),
    agent: agentBehind(line, request.end + numbers[0].length),
    address: addressIn(words),
  };
}

/** Apache's `vhost_combined` puts `host:port` before the address. */
function addressIn(words: readonly string[]): string {
  const [first = "", second = ""] = words;
  return words.length > 3 && /^[^:]+:\d+$/.test(first) ? second : first;
}

/** Where the first quote stands that no backslash escapes. */
function firstQuote(line: string): number {
  for (let at = line.indexOf('"'); at !== -1; at = line.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (line[at - 1 - backslashes] === "\\") backslashes += 1;
    if (backslashes % 2 === 0) return at;
  }
  return -1;
}

function agentBehind(line: string, at: number): string {
  if (line.slice(at, at + 2) !== ' "') return "";
  const referer = quoted(line, at + 1);
  if (referer === undefined || line.slice(referer.end, referer.end + 2) !== ' "') return "";
  const agent = quoted(line, referer.end + 1)?.text ?? "";
  return agent === "-" ? "" : agent;
}

/** The path of `GET /path?query HTTP/1.1`, of a URI, or of a path. */
function pathOf(text: string): string {
  const target = /^[A-Za-z-]+ (\S+)(?: HTTP\/[\d.]+)?$/.exec(text)?.[1] ?? text;
  const path = /^[a-z][a-z\d+.-]*:\/\/[^/?#]*([^?#]*)/i.exec(target)?.[1] ?? target.split(/[?#]/, 1)[0] ?? "";
  return path === "-" ? "" : path;
}

/** Caddy's first, then what is common in configurations of nginx. */
const PATHS = ["request.uri", "request_uri", "uri", "path", "request_path", "url", "request"] as const;
const AGENTS = ["request.headers.User-Agent", "http_user_agent", "user_agent", "agent", "userAgent"] as const;
const ADDRESSES = [
  "request.client_ip",
  "request.remote_ip",
  "remote_addr",
  "client_ip",
  "remote_ip",
  "client",
] as const;

/** What Caddy calls its own log of requests, with the server's name or none behind it. */
const CADDY_ACCESS = /^http\.log\.access(\.|$)/;

function readJson(line: string, fields: JsonFields): Request | "other" | undefined {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof entry !== "object" || entry === null) return undefined;
  const logger = at(entry, "logger");
  // Caddy writes its other news into the same file, where it is told to.
  if (typeof logger === "string" && at(entry, "msg") !== undefined && !CADDY_ACCESS.test(logger))
    return "other";
  const path = pathOf(first(entry, fields.path, PATHS));
  const agent = first(entry, fields.agent, AGENTS);
  const address = first(entry, fields.address, ADDRESSES);
  return path === "" && agent === "" && address === "" ? undefined : { path, agent, address };
}

function first(entry: object, named: string, usual: readonly string[]): string {
  for (const name of named === "" ? usual : [named]) {
    const value = at(entry, name);
    // A header may have come more than once.
    const text: unknown = Array.isArray(value) ? value[0] : value;
    if (typeof text === "string" && text !== "" && text !== "-") return text;
  }
  return "";
}

/** The value by its own name, or by the names of its levels. */
function at(entry: object, name: string): unknown {
  if (Object.hasOwn(entry, name)) return (entry as Record<string, unknown>)[name];
  let value: unknown = entry;
  for (const part of name.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}
