/**
 * A plugin as a real child process, and the runner's side of its pipes.
 *
 * Every wait ends: after `LIMIT_MS` it fails with what the child said meanwhile.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** Far more than any step takes on a loaded machine. */
const LIMIT_MS = 60_000;

export const ROOT = new URL("../../", import.meta.url).pathname;
export const EXAMPLE = `${ROOT}example/dist/plugin.mjs`;
export const AWKWARD = `${ROOT}test/dist/awkward.js`;

/** An answer, as far as tests look at it. */
export interface Answer {
  jsonrpc?: string;
  id?: unknown;
  // biome-ignore lint/suspicious/noExplicitAny: what a plugin answers is what the tests are about.
  result?: any;
  // biome-ignore lint/suspicious/noExplicitAny: a text or JSON-RPC's object.
  error?: any;
}

export class Child {
  readonly #process: ChildProcess;
  readonly #watchers = new Set<() => void>();
  readonly exited: Promise<number | string>;
  /** All that it wrote to standard output, and to its log. */
  output = "";
  log = "";
  #taken = 0;
  #id = 0;

  constructor(program: string, environment: Record<string, string> = {}, args: string[] = []) {
    // Nothing but what the runner gives a plugin.
    const env = { PATH: process.env.PATH ?? "", LANG: "C.UTF-8", HOME: "/nonexistent", ...environment };
    const [command, ...rest] = program.endsWith(".js") ? [process.execPath, program] : [program];
    this.#process = spawn(command, [...rest, ...args], { env, stdio: "pipe" });
    this.#process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.output += text;
      this.#changed();
    });
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.log += text;
      this.#changed();
    });
    // It may end before it has read all that was sent; its exit code is what counts.
    this.#process.stdin?.on("error", () => {});
    this.exited = once(this.#process, "close").then(([code, signal]) => code ?? signal);
  }

  /** Sends bytes as they are. */
  send(raw: string | Uint8Array): void {
    this.#process.stdin?.write(raw);
  }

  /** Closes its standard input. */
  end(): void {
    this.#process.stdin?.end();
  }

  /** Takes no more of its answers. */
  closeOutput(): void {
    this.#process.stdout?.destroy();
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** The next whole line of its standard output. */
  async line(): Promise<string> {
    await this.until("a line", () => this.output.indexOf("\n", this.#taken) !== -1);
    const end = this.output.indexOf("\n", this.#taken);
    const line = this.output.slice(this.#taken, end);
    this.#taken = end + 1;
    return line;
  }

  async answer(): Promise<Answer> {
    return JSON.parse(await this.line()) as Answer;
  }

  /** Asks in the original's form. */
  async ask(method: string, params: unknown = {}): Promise<Answer> {
    this.#id += 1;
    this.send(`${JSON.stringify({ method, params, id: this.#id })}\n`);
    const answer = await this.answer();
    if (answer.id !== this.#id) throw new Error(`the answer has the id ${answer.id}, and not ${this.#id}`);
    return answer;
  }

  /** Waits for what the child says. */
  async until(what: string, condition: () => boolean): Promise<void> {
    const { promise, resolve } = deferred();
    const check = (): void => {
      if (condition()) resolve();
    };
    this.#watchers.add(check);
    check();
    try {
      await limited(`${what} of a child`, promise, () => `stdout: ${this.output}\nstderr: ${this.log}`);
    } finally {
      this.#watchers.delete(check);
    }
  }

  /** Waits for a text in its log. */
  async logged(text: string): Promise<void> {
    await this.until(`"${text}" in the log`, () => this.log.includes(text));
  }

  /** Its exit code, or the signal that it ended by. */
  async ended(): Promise<number | string> {
    return limited("the end of a child", this.exited, () => this.log);
  }

  /** Ends it, if it has not ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.exited;
  }

  #changed(): void {
    for (const check of this.#watchers) check();
  }
}

/** A promise that fails when it takes too long. */
export async function limited<T>(what: string, promise: Promise<T>, seen = () => ""): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come\n${seen()}`)), LIMIT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
