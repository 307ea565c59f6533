/**
 * The built plugin as a child process, asked as the runner asks it.
 *
 * It has nothing in its environment but what the runner gives; it never waits for an answer for ever.
 */

import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { Program, until, within } from "./process.js";

export const BUILT = new URL("../../built/http-monitor.mjs", import.meta.url).pathname;

/** An answer to `CheckIdle`. */
export interface Answer {
  readonly isIdle?: boolean;
  readonly reason?: string;
  readonly details?: Details;
  readonly error?: string;
}

interface Details {
  readonly requests_per_second: number;
  readonly requests_per_second_threshold: number;
  readonly sources: Record<string, { requests: number; ignored: number; seconds: number }>;
}

interface Line {
  readonly id?: unknown;
  readonly error?: string;
  // biome-ignore lint/suspicious/noExplicitAny: each method has a result of its own.
  readonly result?: any;
}

/** As the host's readings are of no interest to it. */
const METRICS = { cpu_usage: null, memory_usage: null };

export class Plugin {
  readonly program: Program;
  readonly #lines: Interface;
  #id = 0;

  constructor(uid?: number, built = BUILT) {
    const env = { PATH: process.env.PATH ?? "", LANG: "C.UTF-8", HOME: "/nonexistent" };
    const options = { env, stdio: ["pipe", "pipe", "pipe"] as const, ...(uid === undefined ? {} : { uid }) };
    this.program = new Program(process.execPath, [built], { ...options, stdio: [...options.stdio] });
    const { stdout } = this.program.process;
    if (stdout === null) throw new Error("a child has no output");
    this.#lines = createInterface({ input: stdout });
  }

  /** One that has a configuration. */
  static async with(config: Record<string, unknown>, uid?: number, built?: string): Promise<Plugin> {
    const plugin = new Plugin(uid, built);
    const error = await plugin.configure(config);
    if (error !== undefined) throw new Error(error);
    return plugin;
  }

  async ask(method: string, params: unknown): Promise<Line> {
    this.#id += 1;
    const line = once(this.#lines, "line");
    this.program.process.stdin?.write(`${JSON.stringify({ method, params, id: this.#id })}\n`);
    const [text] = await within(`an answer to ${method}`, line);
    const answer = JSON.parse(String(text)) as Line;
    if (answer.id !== this.#id) throw new Error(`the answer is to ${answer.id}, and not to ${this.#id}`);
    return answer;
  }

  /** The error, where it refuses. */
  async configure(config: Record<string, unknown>): Promise<string | undefined> {
    return (await this.ask("Configure", { config })).error;
  }

  async check(): Promise<Answer> {
    const { result, error } = await this.ask("CheckIdle", { metrics: METRICS });
    if (error !== undefined) return { error };
    return { isIdle: result.is_idle, reason: result.reason, details: result.details };
  }

  /** Asks until an answer is as it should be; the last one is told where none is. */
  async until(what: string, fits: (answer: Answer) => boolean): Promise<Answer> {
    let last: Answer = {};
    const look = async (): Promise<Answer | undefined> => {
      last = await this.check();
      return fits(last) ? last : undefined;
    };
    return until(what, look).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}; the last answer was ${JSON.stringify(last)}`);
    });
  }

  /** Lets the first look pass. */
  async begin(): Promise<Answer> {
    return this.until("the end of the first look", ({ error }) => error?.includes("the first look") !== true);
  }

  async idle(): Promise<Answer> {
    return this.until("an idle vote", ({ isIdle }) => isIdle === true);
  }

  async busy(): Promise<Answer> {
    return this.until("a busy vote", ({ isIdle }) => isIdle === false);
  }

  async unknown(text: RegExp): Promise<string> {
    const { error } = await this.until(`an unknown vote of ${text}`, (answer) =>
      text.test(answer.error ?? ""),
    );
    return error ?? "";
  }

  /** Waits until so many requests of a source were counted since the first look, and not one more. */
  async counted(source: string, requests: number): Promise<void> {
    const of = (answer: Answer): number => answer.details?.sources[source]?.requests ?? -1;
    const answer = await this.until(`${requests} requests of ${source}`, (each) => of(each) >= requests);
    if (of(answer) !== requests) throw new Error(`${of(answer)} requests were counted, and not ${requests}`);
  }

  /** Ends its input, and gives its exit code. */
  async end(): Promise<unknown> {
    this.program.process.stdin?.end();
    return within("the end of the plugin", this.program.ended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
  }
}
