/**
 * Fetches a page over HTTP: one request on one connection, bounded in time and size.
 *
 * It follows no redirection, takes no half page, and says no secret in an error.
 */

import { readFile, stat } from "node:fs/promises";
import { type IncomingMessage, request as overHttp } from "node:http";
import { request as overHttps } from "node:https";
import { StringDecoder } from "node:string_decoder";
import { OWN_AGENT } from "./ignored.js";
import type { Secret } from "./settings.js";

/** Takes a page as it comes. */
export interface Reader {
  /** A line without its end. */
  take(line: string): void;
}

/** A page that has come to its end. */
export interface Fetched<R> {
  readonly reader: R;
  /** What was behind the last end of a line. */
  readonly rest: string;
}

/** What is sent along, and what the server is held to. */
export interface Access {
  readonly user: string | undefined;
  readonly password: Secret | undefined;
  readonly token: Secret | undefined;
  /** A file of certificates that vouch for the server, in PEM. */
  readonly caFile: string | undefined;
}

/** A large application's page has some megabytes. */
const MOST_BYTES = 16 * 1024 * 1024;

const LONGEST_LINE = 1024 * 1024;

const MOST_SECRET_BYTES = 64 * 1024;

/** The text format first: names in it are those that people see with a browser or curl. */
const ACCEPT = "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1";

/**
 * Hands a page to the reader that fits what the server calls it.
 *
 * @throws {Error} that says what failed and what to do about it, and whatever the reader throws
 */
export async function fetchPage<R extends Reader>(
  url: URL,
  access: Access,
  signal: AbortSignal,
  readerOf: (contentType: string) => R,
): Promise<Fetched<R>> {
  // A page that a cache in between kept would be a counter that stands still.
  const headers: Record<string, string> = {
    accept: ACCEPT,
    "user-agent": OWN_AGENT,
    "cache-control": "no-cache",
  };
  const authorization = await authorize(access);
  if (authorization !== undefined) headers.authorization = authorization;
  const ca = access.caFile === undefined ? undefined : await file("metrics_ca_file", access.caFile);
  signal.throwIfAborted();
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    // A connection that is kept would bind all checks to one of several processes, and most servers close
    // it between two checks.
    const options = { headers, signal, agent: false as const };
    const asked = url.protocol === "https:" ? overHttps(url, { ...options, ca }) : overHttp(url, options);
    asked.once("response", resolve).once("error", reject).end();
  });
  try {
    check(answer);
    const reader = readerOf(answer.headers["content-type"] ?? "");
    return { reader, rest: await lines(answer, reader) };
  } finally {
    answer.destroy();
  }
}

function check({ statusCode = 0, headers }: IncomingMessage): void {
  if (statusCode === 401 || statusCode === 403) {
    throw new Error(
      `refuses us (${statusCode}): correct metrics_user and metrics_password, or metrics_token`,
    );
  }
  if (statusCode >= 300 && statusCode < 400) {
    throw new Error(`leads elsewhere (${statusCode}): name the page itself in metrics_url`);
  }
  if (statusCode !== 200) {
    const advice = statusCode >= 500 ? "look into its server's log" : "correct metrics_url";
    throw new Error(`answers ${statusCode}: ${advice}`);
  }
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") throw new Error(`comes as ${encoding}, which nobody asked for`);
}

/** Hands over each line, and gives what is behind the last one. Nothing keeps the whole. */
async function lines(answer: IncomingMessage, reader: Reader): Promise<string> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MOST_BYTES) throw new Error(`is larger than ${MOST_BYTES} bytes`);
    const text = rest + decoder.write(chunk);
    let from = 0;
    for (let to = text.indexOf("\n"); to !== -1; to = text.indexOf("\n", from)) {
      reader.take(text.slice(from, to));
      from = to + 1;
    }
    rest = text.slice(from);
    if (rest.length > LONGEST_LINE) throw new Error("has a line longer than any metric");
  }
  return rest + decoder.end();
}

async function authorize({ user, password, token }: Access): Promise<string | undefined> {
  if (token !== undefined) return `Bearer ${await reveal(token)}`;
  if (user === undefined) return undefined;
  const secret = password === undefined ? "" : await reveal(password);
  return `Basic ${Buffer.from(`${user}:${secret}`).toString("base64")}`;
}

/** A file is read each time: secrets are changed in place. */
async function reveal(secret: Secret): Promise<string> {
  if ("value" in secret) return secret.value;
  const text = (await file(secret.key, secret.file)).toString("utf8").replace(/\r?\n$/, "");
  // Said here, since the text itself would be in the error of who sends it.
  if (!/^[\t\x20-\x7e\x80-\uffff]+$/.test(text))
    throw new Error(`cannot be asked: ${secret.key} holds no secret of one line`);
  return text;
}

async function file(key: string, path: string): Promise<Buffer> {
  try {
    const about = await stat(path);
    if (!about.isFile() || about.size > MOST_SECRET_BYTES * 16) throw new Error("it is no small file");
    return await readFile(path);
  } catch (error) {
    throw new Error(`cannot be asked: ${key}: ${(error as Error).message}`, { cause: error });
  }
}
