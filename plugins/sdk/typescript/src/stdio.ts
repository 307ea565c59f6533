/**
 * The `process` transport: lines on standard input and output.
 *
 * One request at a time, in the order in which they came; what the plugin prints never gets between the
 * answers.
 */

import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { BadRequest, Dispatcher, failureText, UnknownMethod } from "./dispatch.js";
import { errorLine, type Form, MOST_LINE_BYTES, type Request, read, resultLine } from "./line-protocol.js";
import { type Line, LineReader } from "./lines.js";
import { log } from "./log.js";
import type { Plugin } from "./plugin.js";

/** How long an answer under way may take once the plugin is told to end; the runner kills after 2 s. */
const GRACE_MS = 1_500;

/** The same when the input has ended: work that an event was worth is not thrown away with its asker. */
const LAST_ANSWERS_MS = 120_000;

/** Where requests come from and answers go. */
export interface Pipes {
  readonly input: Readable;
  /** Resolves when the line is out of our hands. */
  write(line: string): Promise<void>;
}

/** This process's own. From now on all else that is written to standard output goes to standard error. */
export function takeStandardPipes(): Pipes {
  const { stdin: input, stdout, stderr } = process;
  const write = stdout.write.bind(stdout);
  // The stream itself is changed and not only `process.stdout`: the plugin, the console or a library may
  // hold it already.
  stdout.write = stderr.write.bind(stderr) as typeof stdout.write;
  stdout.end = () => stdout;
  // A failure reaches whoever waits for the line.
  stdout.on("error", () => {});
  return {
    input,
    write: (line) =>
      new Promise((resolve, reject) => {
        write(line, (error) => (error ? reject(error) : resolve()));
      }),
  };
}

/** Answers requests until the input ends or `stop` is aborted, and shuts the plugin down. */
export async function serveLines(plugin: Plugin, pipes: Pipes, stop: AbortSignal): Promise<void> {
  const dispatcher = new Dispatcher(plugin);
  const lines = new LineReader(pipes.input, MOST_LINE_BYTES);
  const stopped = new Promise<void>((resolve) => {
    stop.addEventListener("abort", () => {
      lines.close();
      resolve();
    });
  });
  try {
    await Promise.race([
      answerAll(dispatcher, lines, pipes),
      lines.ended.then(() => sleep(LAST_ANSWERS_MS)),
      stopped.then(() => sleep(GRACE_MS)),
    ]);
  } finally {
    // Also when nobody takes the answers any more: what the plugin holds is still to be let go.
    await Promise.race([shutDown(dispatcher), sleep(GRACE_MS)]);
  }
}

async function answerAll(dispatcher: Dispatcher, lines: LineReader, pipes: Pipes): Promise<void> {
  let form: Form = "original";
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    const answered = await answer(dispatcher, line, form);
    form = answered.form;
    if (answered.line !== undefined) await pipes.write(answered.line);
  }
}

async function answer(
  dispatcher: Dispatcher,
  line: Line,
  last: Form,
): Promise<{ form: Form; line?: string }> {
  const request = read(line, last);
  const { form } = request;
  if ("refused" in request) {
    log(`refused a request: ${request.refused.message}`);
    if (!request.wantsAnswer) return { form };
    return { form, line: errorLine(request, request.refused, request.refused.message) };
  }
  const answered = await outcome(dispatcher, request);
  return request.wantsAnswer ? { form, line: answered } : { form };
}

async function outcome(dispatcher: Dispatcher, request: Request): Promise<string> {
  try {
    const line = resultLine(request, await dispatcher.ask(request.method, request.params, request.named));
    if (Buffer.byteLength(line) <= MOST_LINE_BYTES) return line;
    throw new RangeError(`the answer to ${request.named} is longer than ${MOST_LINE_BYTES} bytes`);
  } catch (error) {
    const isExpected = error instanceof UnknownMethod || error instanceof BadRequest;
    log(`${request.named} failed`, isExpected ? undefined : error);
    return errorLine(request, error, failureText(error));
  }
}

async function shutDown(dispatcher: Dispatcher): Promise<void> {
  try {
    await dispatcher.shutdown();
  } catch (error) {
    log("the plugin could not be shut down", error);
  }
}
