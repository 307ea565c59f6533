/**
 * Programs that tests start, ports and folders for them, and waits that end.
 *
 * Each program is ended by whoever started it; nothing waits by sleeping.
 */

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** Far more than any step takes on a loaded machine. */
export const LIMIT_MS = 30_000;

/** Between two looks at a condition. */
const STEP_MS = 20;

/** A program that runs until it is disposed of. */
export class Program {
  readonly process: ChildProcess;
  readonly ended: Promise<unknown>;
  /** All that it wrote to standard error. */
  log = "";
  #hasEnded = false;

  constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.process = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"], ...options });
    this.process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.log += text;
    });
    this.ended = new Promise((resolve) => {
      this.process.once("close", resolve).once("error", (error) => {
        this.log += `${command} cannot be started: ${error.message}\n`;
        resolve(error);
      });
    }).finally(() => {
      this.#hasEnded = true;
    });
  }

  /** Fails with what it said where it has ended. */
  assertRunning(): void {
    if (this.#hasEnded) throw new Error(`${this.process.spawnfile} has ended: ${this.log}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** Asks it to end, and waits until it has. */
  async stop(): Promise<void> {
    this.process.kill("SIGCONT");
    this.process.kill("SIGTERM");
    await within("the end of a program", this.ended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGKILL");
    await this.ended;
  }
}

/** Runs a program to its end, and fails with what it said if it failed. */
export async function command(program: string, args: readonly string[], cwd: string): Promise<void> {
  await using running = new Program(program, args, { cwd });
  const code = await within(program, running.ended);
  if (code !== 0) throw new Error(`${program} failed: ${running.log}`);
}

/** A folder that everyone may enter and that goes with the test. */
export async function folder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "http-monitor-"));
  await chmod(path, 0o755);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A port on which nobody listens. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || address === null) throw new Error("a server has no port");
  return address.port;
}

/** Waits until a condition gives something, and says what it waited for if that does not come. */
export async function until<T>(what: string, condition: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + LIMIT_MS;
  for (;;) {
    const value = await condition();
    if (value !== undefined) return value;
    if (performance.now() > end) throw new Error(`${what} did not come`);
    await pause(STEP_MS);
  }
}

/** Waits for a promise, and no longer than the limit. */
export async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come`)), LIMIT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
