/**
 * A real nats-server: open to everybody, or fenced as an installation's is, with the templates that
 * `nats/bus/src/roles/table.rs` has for plugins.
 */

import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { connect, credsAuthenticator, type NatsConnection, nkeys } from "@nats-io/transport-node";
import { deferred, limited, ROOT } from "./child.js";

type KeyPair = ReturnType<typeof nkeys.createUser>;

const PROGRAM = execFileSync(`${ROOT}../../../nats/server/install.sh`, {
  encoding: "utf8",
  stdio: ["ignore", "pipe", "inherit"],
}).trim();

/** What each role of these tests may do, as in the role table. */
const TEMPLATES: Record<string, { pub: string[]; sub: string[] }> = {
  host: {
    pub: [
      "_INBOX_host.{{name()}}.>",
      "snooze.v1.host.{{name()}}.plugin.*.*",
      "snooze.v1.fleet.plugin.{{tag(fleet-plugin)}}.check_idle",
      "snooze.v1.fleet.plugin.{{tag(fleet-plugin)}}.handle_event",
    ],
    sub: ["_INBOX_host.{{name()}}.>"],
  },
  plugin: {
    pub: ["_INBOX_plugin.{{name()}}.>", "_INBOX_host.{{tag(host)}}.>", "_R_.>"],
    sub: [
      "_INBOX_plugin.{{name()}}.>",
      "snooze.v1.host.{{tag(host)}}.plugin.{{tag(plugin)}}.*",
      ...srv("{{tag(plugin)}}"),
    ],
  },
  "fleet-plugin": {
    pub: ["_INBOX_fleet-plugin.{{name()}}.>", "_INBOX_host.*.>", "_R_.>"],
    sub: ["_INBOX_fleet-plugin.{{name()}}.>", "snooze.v1.fleet.plugin.{{name()}}.*", ...srv("{{name()}}")],
  },
};

function srv(name: string): string[] {
  return ["PING", "INFO", "STATS"].flatMap((verb) => [
    `$SRV.${verb}`,
    `$SRV.${verb}.${name}`,
    `$SRV.${verb}.${name}.*`,
  ]);
}

/** A server that can be killed and come back at the same address. */
export class Server {
  readonly folder = mkdtempSync(`${tmpdir()}/snooze-nats-`);
  #configuration: string;
  #process: ReturnType<typeof spawn> | undefined;
  #port = -1;

  constructor(configuration = "") {
    this.#configuration = configuration;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.#port}`;
  }

  /** Starts it, and waits until it listens; at the port that it had, if it had one. */
  async start(): Promise<this> {
    const file = `${this.folder}/server.conf`;
    writeFileSync(file, `listen: "127.0.0.1:${this.#port}"\nmax_payload: 1MB\n${this.#configuration}`);
    const server = spawn(PROGRAM, ["-c", file], { stdio: ["ignore", "ignore", "pipe"] });
    this.#process = server;
    const { promise, resolve } = deferred();
    let log = "";
    server.stderr.setEncoding("utf8").on("data", (text: string) => {
      log += text;
      if (log.includes("Server is ready")) resolve();
    });
    await limited("a server that is ready", promise, () => log);
    this.#port = Number(/Listening for client connections on 127\.0\.0\.1:(\d+)/.exec(log)?.[1]);
    return this;
  }

  async kill(): Promise<void> {
    const server = this.#process;
    this.#process = undefined;
    if (server === undefined) return;
    const { promise, resolve } = deferred();
    server.once("close", resolve);
    server.kill("SIGKILL");
    await limited("the end of a server", promise);
  }

  async connect(options: object = {}): Promise<NatsConnection & AsyncDisposable> {
    const connection = await connect({ servers: this.url, reconnectTimeWait: 50, ...options });
    return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true });
  }
}

/** A server that lets in only whom its keys signed, each within its role's template. */
export class Fenced extends Server {
  readonly #hosts: KeyPair;
  readonly #people: KeyPair;
  readonly #roles: Map<string, KeyPair>;

  constructor() {
    const operator = nkeys.createOperator();
    const [hosts, people, system] = [nkeys.createAccount(), nkeys.createAccount(), nkeys.createAccount()];
    const roles = new Map(Object.keys(TEMPLATES).map((role) => [role, nkeys.createAccount()]));
    const scopes = Object.entries(TEMPLATES).map(([role, { pub, sub }]) => ({
      kind: "user_scope",
      key: roles.get(role)?.getPublicKey(),
      role,
      template: { pub: { allow: pub }, sub: { allow: sub }, subs: 512, data: -1, payload: -1 },
    }));
    const service = { name: "srv", subject: "$SRV.>", type: "service" };
    const account = (key: KeyPair, name: string, more: object = {}): string =>
      sign(operator, key.getPublicKey(), name, { type: "account", version: 2, limits: LIMITS, ...more });
    const accounts: [KeyPair, string][] = [
      [system, account(system, "system")],
      [
        hosts,
        account(hosts, "hosts", {
          signing_keys: scopes,
          exports: [{ ...service, response_type: "Stream" }],
        }),
      ],
      [people, account(people, "people", { imports: [{ ...service, account: hosts.getPublicKey() }] })],
    ];
    const preload = accounts.map(([key, token]) => `${key.getPublicKey()}: ${token}\n`).join("");
    super(
      `operator: ${sign(operator, operator.getPublicKey(), "snooze", { type: "operator", version: 2 })}\n` +
        `system_account: ${system.getPublicKey()}\nresolver: MEMORY\nresolver_preload: {\n${preload}}\n`,
    );
    this.#hosts = hosts;
    this.#people = people;
    this.#roles = roles;
  }

  /** A credentials file for somebody with a role in the hosts' account. */
  credentials(role: string, name: string, tags: string[] = []): string {
    const signer = this.#roles.get(role);
    if (signer === undefined) throw new Error(`no role ${role}`);
    const issuer_account = this.#hosts.getPublicKey();
    return this.#write(signer, name, { type: "user", version: 2, issuer_account, tags });
  }

  /** A credentials file for somebody who looks, in another account. */
  lookersCredentials(): string {
    return this.#write(this.#people, "looker", { type: "user", version: 2, subs: -1, data: -1, payload: -1 });
  }

  async connectWith(file: string, inboxPrefix = "_INBOX"): Promise<NatsConnection & AsyncDisposable> {
    const { readFileSync } = await import("node:fs");
    return this.connect({ authenticator: credsAuthenticator(readFileSync(file)), inboxPrefix });
  }

  #write(signer: KeyPair, name: string, claims: object): string {
    const user = nkeys.createUser();
    const token = sign(signer, user.getPublicKey(), name, claims);
    const seed = Buffer.from(user.getSeed()).toString();
    const file = `${this.folder}/${name}.creds`;
    const text = [
      "-----BEGIN NATS USER JWT-----",
      token,
      "------END NATS USER JWT------",
      "-----BEGIN USER NKEY SEED-----",
      seed,
      "------END USER NKEY SEED------",
      "",
    ];
    writeFileSync(file, text.join("\n"), { mode: 0o600 });
    return file;
  }
}

const LIMITS = {
  subs: -1,
  data: -1,
  payload: -1,
  imports: -1,
  exports: -1,
  wildcards: true,
  conn: -1,
  leaf: 0,
};

function sign(signer: KeyPair, subject: string, name: string, nats: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { iat: Math.floor(Date.now() / 1000), iss: signer.getPublicKey(), sub: subject, name, nats };
  const jti = createHash("sha256").update(JSON.stringify(claims)).digest("hex");
  const body = `${part({ typ: "JWT", alg: "ed25519-nkey" })}.${part({ ...claims, jti })}`;
  return `${body}.${Buffer.from(signer.sign(Buffer.from(body))).toString("base64url")}`;
}
