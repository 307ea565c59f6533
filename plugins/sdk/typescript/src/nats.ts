/**
 * The `nats` transport: the plugin's own subjects, on one host or for the fleet.
 *
 * Loaded only where the environment asks for it. It reconnects for ever, and ends only when it is told to,
 * or when the server refuses it: then it would never hear of what it misses.
 */

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, credsAuthenticator, type MsgHdrs, type NatsConnection } from "@nats-io/transport-node";
import * as bodies from "./bodies.js";
import { BadRequest, Dispatcher, failureText, METHODS, type Method, UnknownMethod } from "./dispatch.js";
import { check } from "./headers.js";
import { log } from "./log.js";
import { errorText } from "./plain.js";
import type { Plugin } from "./plugin.js";
import { type Reply, Service } from "./service.js";
import { BadSettings, type NatsSettings } from "./settings.js";

/** How long requests under way may take once the plugin is told to end: as long as service managers wait. */
const GRACE_MS = 10_000;

/** Requests that may be under way at once. More is a fault of the askers, and each of them is told. */
const MOST_UNDER_WAY = 256;

/** As long as one attempt to connect may take. */
const ATTEMPT_MS = 5_000;

/** Silence after which the connection is tried; twice unanswered, it is lost. */
const PING_MS = 10_000;

/** Between two attempts to reconnect, spread by chance so that a fleet does not come back in waves. */
const SHORTEST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 1_000;

/** Answers requests until `stop` is aborted, and shuts the plugin down. */
export async function serveNats(plugin: Plugin, settings: NatsSettings, stop: AbortSignal): Promise<void> {
  const stopped = new Promise<undefined>((resolve) => {
    stop.addEventListener("abort", () => resolve(undefined));
  });
  log(`connecting to ${settings.servers.map(withoutSecrets).join(", ")}`);
  const connection = await Promise.race([dial(plugin, settings), stopped]);
  if (connection === undefined) return;

  const dispatcher = new Dispatcher(plugin, settings.host);
  const { name, version = "0.0.0", description = "" } = plugin.info;
  const answerer = new Answerer(dispatcher);
  const service = new Service(
    connection,
    { name, version, description, metadata: metadata(settings.host) },
    METHODS.map((method) => ({
      name: method,
      subject: subject(name, settings.host, method),
      // On one host too: an event is handled once, however many of the plugin run there.
      queue: name,
      answer: (body, headers) => answerer.answer(method, body, headers),
    })),
  );
  const lost = connection.closed().then((error) => {
    throw new Error(
      `the connection is closed: ${error === undefined ? "nobody knows why" : errorText(error)}`,
    );
  });
  void report(connection);
  // When the server has answered this, it has taken or refused every subscription before it.
  await Promise.race([connection.flush(), service.denied, lost]);
  log(`ready at ${subject(name, settings.host, "*")}`);
  await Promise.race([stopped, service.denied, lost]);

  lost.catch(() => {});
  const ended = end(service, dispatcher, connection);
  await Promise.race([ended, sleep(GRACE_MS)]);
}

async function end(service: Service, dispatcher: Dispatcher, connection: NatsConnection): Promise<void> {
  await service.drain();
  try {
    await dispatcher.shutdown();
  } catch (error) {
    log("the plugin could not be shut down", error);
  }
  await connection.drain();
}

function dial(plugin: Plugin, settings: NatsSettings): Promise<NatsConnection> {
  const { credentials, host, servers } = settings;
  const { name } = plugin.info;
  // Read at once, so that a mistake ends the plugin and is not retried for ever; and again at each attempt,
  // so that new credentials need no restart.
  if (credentials !== undefined) credentialsFrom(credentials);
  return connect({
    servers: [...servers],
    name: `plugin ${name}`,
    ...(credentials === undefined
      ? {}
      : { authenticator: credsAuthenticator(() => credentialsFrom(credentials)) }),
    ...(servers.some((server) => server.startsWith("tls://")) ? { tls: {} } : {}),
    inboxPrefix: host === undefined ? `_INBOX_fleet-plugin.${name}` : `_INBOX_plugin.${host}_${name}`,
    timeout: ATTEMPT_MS,
    pingInterval: PING_MS,
    maxPingOut: 2,
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => SHORTEST_PAUSE_MS + Math.random() * (LONGEST_PAUSE_MS - SHORTEST_PAUSE_MS),
  });
}

function credentialsFrom(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new BadSettings(`SNOOZE_NATS_CREDENTIALS: ${errorText(error)}`);
  }
}

function subject(plugin: string, host: string | undefined, method: Method | "*"): string {
  const where = host === undefined ? "fleet" : `host.${host}`;
  return `snooze.v1.${where}.plugin.${plugin}.${method}`;
}

function metadata(host: string | undefined): Record<string, string> {
  return host === undefined ? { language: "typescript" } : { language: "typescript", host };
}

/** Answers with bodies what is asked with bodies; never rejects. */
class Answerer {
  readonly #dispatcher: Dispatcher;
  #underWay = 0;

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher;
  }

  async answer(method: Method, body: Uint8Array, headers: MsgHdrs | undefined): Promise<Reply> {
    const form = bodies.formOf(body);
    this.#underWay += 1;
    try {
      if (this.#underWay > MOST_UNDER_WAY) throw new BadRequest(`${MOST_UNDER_WAY} requests are under way`);
      check(method, headers);
      return { body: bodies.write(form, await this.#dispatcher.ask(method, bodies.read(body), method)) };
    } catch (thrown) {
      const isExpected = thrown instanceof UnknownMethod || thrown instanceof BadRequest;
      const error = failureText(thrown);
      log(`${method} failed`, isExpected ? error : thrown);
      return { body: bodies.write(form, { error }), error };
    } finally {
      this.#underWay -= 1;
    }
  }
}

async function report(connection: NatsConnection): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === "disconnect") log("the connection is lost; trying to reconnect");
    else if (status.type === "reconnect") log("the connection is back");
    else if (status.type === "error") log(`the server says: ${errorText(status.error)}`);
  }
}

function withoutSecrets(server: string): string {
  return server.replace(/\/\/[^@/]*@/, "//***@");
}
