/**
 * nginx with a folder and a port of its own, unprivileged.
 *
 * It writes real access logs, in the combined format and as JSON, and has a page of stub_status.
 */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { folder, freePort, Program, until } from "./process.js";

const JSON_FORMAT = `'{"time":"$time_iso8601","remote_addr":"$remote_addr","method":"$request_method",'
  '"request_uri":"$request_uri","status":$status,"http_user_agent":"$http_user_agent"}'`;

export interface Options {
  /** What else stands in the server's block. */
  readonly server?: string;
  /** A port that was used before. */
  readonly port?: number;
}

export class Nginx {
  readonly #folder: { path: string } & AsyncDisposable;
  readonly port: number;
  #program: Program;
  #asked = 0;

  private constructor(within: { path: string } & AsyncDisposable, port: number) {
    this.#folder = within;
    this.port = port;
    this.#program = this.#run();
  }

  static async start({ server = "", port }: Options = {}): Promise<Nginx> {
    const within = await folder();
    const chosen = port ?? (await freePort());
    await writeFile(join(within.path, "nginx.conf"), configuration(chosen, server));
    const nginx = new Nginx(within, chosen);
    await nginx.#answering();
    return nginx;
  }

  get folder(): string {
    return this.#folder.path;
  }

  get accessLog(): string {
    return join(this.folder, "access.log");
  }

  get jsonLog(): string {
    return join(this.folder, "json.log");
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /**
   * Asks for a path so many times, one after the other. Each line of the log is another: a log's beginning
   * is not written twice within a second but in tests.
   */
  async get(path: string, times = 1, headers: Record<string, string> = {}): Promise<void> {
    for (let each = 0; each < times; each += 1) {
      this.#asked += 1;
      const all = { "user-agent": "test", referer: `${this.#asked}`, ...headers };
      const answer = await fetch(`${this.url}${path}`, { headers: all });
      await answer.text();
    }
  }

  /** Lets it open its logs anew, and waits until it has. */
  async reopen(log = this.accessLog): Promise<void> {
    this.#program.signal("SIGUSR1");
    await until(`${log} to be opened anew`, () => readFile(log).catch(() => undefined));
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
    // Its worker ends with it, where it is told to end and not killed.
    await this.#program.stop();
    await this.#folder[Symbol.asyncDispose]();
  }

  #run(): Program {
    return new Program("nginx", ["-p", this.folder, "-c", "nginx.conf"]);
  }

  async #answering(): Promise<void> {
    await until("an answer of nginx", async () => {
      this.#program.assertRunning();
      const answer = await fetch(`${this.url}/ready`).catch(() => undefined);
      return answer?.status;
    });
  }
}

function configuration(port: number, server: string): string {
  return `
daemon off;
pid nginx.pid;
error_log stderr warn;
worker_processes 1;
events { worker_connections 64; }
http {
  client_body_temp_path temporary;
  proxy_temp_path temporary;
  fastcgi_temp_path temporary;
  uwsgi_temp_path temporary;
  scgi_temp_path temporary;
  log_format json escape=json ${JSON_FORMAT};
  server {
    listen 127.0.0.1:${port};
    access_log access.log;
    access_log json.log json;
    location / { return 200 "here\\n"; }
    location = /ready { access_log off; return 204; }
    location = /stub_status { access_log off; stub_status; }
    location = /moved { return 301 /stub_status; }
    ${server}
  }
}
`;
}
