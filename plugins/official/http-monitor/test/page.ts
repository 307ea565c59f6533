/**
 * What serves pages of metrics in tests: nginx' exporter, an application with prom-client, and Caddy.
 *
 * Each is the real thing, a process on a free port.
 */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { folder, freePort, Program, until } from "./process.js";

/** A process that listens on a port, and is there once it has answered. */
export class Server {
  readonly port: number;
  readonly #run: () => Program;
  readonly #ready: string;
  readonly #within: AsyncDisposable | undefined;
  #program: Program;

  private constructor(port: number, ready: string, run: () => Program, within?: AsyncDisposable) {
    this.port = port;
    this.#run = run;
    this.#ready = ready;
    this.#within = within;
    this.#program = run();
  }

  static async #start(
    port: number,
    ready: string,
    run: () => Program,
    within?: AsyncDisposable,
  ): Promise<Server> {
    const server = new Server(port, ready, run, within);
    await server.#answering();
    return server;
  }

  /** nginx' exporter, which asks a page of stub_status. */
  static async exporter(stubStatus: string): Promise<Server> {
    const port = await freePort();
    const args = ["-web.listen-address", `127.0.0.1:${port}`, "-nginx.scrape-uri", stubStatus];
    return Server.#start(port, "/", () => new Program("prometheus-nginx-exporter", args));
  }

  static async application(openmetrics: boolean): Promise<Server> {
    const port = await freePort();
    const env = { ...process.env, PORT: `${port}`, ...(openmetrics ? { OPENMETRICS: "1" } : {}) };
    const file = new URL("application.js", import.meta.url).pathname;
    return Server.#start(port, "/metrics", () => new Program(process.execPath, [file], { env }));
  }

  /** Caddy, which logs to `access.log` and has its metrics on the port of the site. */
  static async caddy(): Promise<Server & { readonly folder: string }> {
    const within = await folder();
    const port = await freePort();
    await writeFile(join(within.path, "Caddyfile"), caddyfile(port));
    const env = {
      ...process.env,
      HOME: within.path,
      XDG_DATA_HOME: within.path,
      XDG_CONFIG_HOME: within.path,
    };
    const args = ["run", "--config", "Caddyfile", "--adapter", "caddyfile"];
    const run = (): Program => new Program("caddy", args, { cwd: within.path, env });
    const server = await Server.#start(port, "/metrics", run, within);
    return Object.assign(server, { folder: within.path });
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** Asks for a path so many times, several at once. */
  async get(path: string, times = 1, headers: Record<string, string> = {}): Promise<void> {
    for (let left = times; left > 0; left -= 20) {
      const asked = Array.from({ length: Math.min(left, 20) }, () => fetch(this.url(path), { headers }));
      for (const answer of await Promise.all(asked)) await answer.text();
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#program.signal(signal);
  }

  async stop(): Promise<void> {
    await this.#program.stop();
  }

  /** Runs it again after it was stopped. */
  async again(): Promise<void> {
    this.#program = this.#run();
    await this.#answering();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    await this.#within?.[Symbol.asyncDispose]();
  }

  async #answering(): Promise<void> {
    await until("an answer of a server", async () => {
      this.#program.assertRunning();
      const answer = await fetch(this.url(this.#ready)).catch(() => undefined);
      return answer?.status;
    });
  }
}

/** The smallest size at which Caddy rolls its log is a megabyte. */
function caddyfile(port: number): string {
  return `
{
  admin off
  servers {
    metrics
  }
}
http://127.0.0.1:${port} {
  log {
    output file access.log {
      roll_size 1MiB
    }
  }
  handle /metrics {
    metrics
  }
  handle {
    respond "here"
  }
}
`;
}
