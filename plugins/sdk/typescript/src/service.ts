/**
 * A service as NATS knows them (ADR-32, "Service API"): found, described and counted at `$SRV.PING`,
 * `$SRV.INFO` and `$SRV.STATS`.
 *
 * The client's own library for it counts neither the time nor the failures of what answers later, and a
 * plugin's method is such a thing. This one does; it never answers for an endpoint by itself.
 */

import {
  headers,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  nuid,
  type Subscription,
} from "@nats-io/transport-node";
import { bounded } from "./plain.js";

/** Who a service is. */
export interface Identity {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What an endpoint answers. `error` says that it is a failure, in words. */
export interface Reply {
  readonly body: Uint8Array;
  readonly error?: string;
}

/** One endpoint. `answer` never rejects. */
export interface Endpoint {
  readonly name: string;
  readonly subject: string;
  readonly queue: string;
  answer(body: Uint8Array, headers: MsgHdrs | undefined): Promise<Reply>;
}

/** A service that is registered. */
export class Service {
  readonly #connection: NatsConnection;
  readonly #identity: Identity & { readonly id: string };
  readonly #started = new Date().toISOString();
  readonly #endpoints: Counted[];
  readonly #subscriptions: Subscription[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #deny: (error: Error) => void = () => {};

  /** Rejects when the server refuses one of its subscriptions: what it misses it would never hear of. */
  readonly denied: Promise<never>;

  /** Subscribes; what is asked may come at once. */
  constructor(connection: NatsConnection, identity: Identity, endpoints: readonly Endpoint[]) {
    this.#connection = connection;
    this.#identity = { ...identity, id: nuid.next() };
    this.#endpoints = endpoints.map((endpoint) => new Counted(endpoint));
    this.denied = new Promise((_, reject) => {
      this.#deny = reject;
    });
    this.denied.catch(() => {});
    for (const endpoint of this.#endpoints) {
      const { subject, queue } = endpoint.endpoint;
      this.#subscribe(subject, queue, (message) => this.#ask(endpoint, message));
    }
    this.#describe("PING", "io.nats.micro.v1.ping_response", () => ({}));
    this.#describe("INFO", "io.nats.micro.v1.info_response", () => ({
      description: identity.description,
      endpoints: this.#endpoints.map((endpoint) => endpoint.info()),
    }));
    this.#describe("STATS", "io.nats.micro.v1.stats_response", () => ({
      started: this.#started,
      endpoints: this.#endpoints.map((endpoint) => endpoint.stats()),
    }));
  }

  /** Takes no more requests, and answers those that came. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.#subscriptions.map((subscription) => subscription.drain()));
    await Promise.allSettled(this.#underWay);
  }

  #describe(verb: string, type: string, more: () => object): void {
    const { name, id, version, metadata } = this.#identity;
    for (const subject of [`$SRV.${verb}`, `$SRV.${verb}.${name}`, `$SRV.${verb}.${name}.${id}`]) {
      this.#subscribe(subject, undefined, (message) => {
        message.respond(JSON.stringify({ type, name, id, version, metadata, ...more() }));
      });
    }
  }

  #subscribe(subject: string, queue: string | undefined, heard: (message: Msg) => void): void {
    const subscription = this.#connection.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        if (error) this.#deny(error);
        else heard(message);
      },
    });
    this.#subscriptions.push(subscription);
  }

  #ask(endpoint: Counted, message: Msg): void {
    // Nobody waits for it: an event would be handled, and nobody would ever know.
    if (!message.reply) return;
    const answered = endpoint.ask(message).finally(() => this.#underWay.delete(answered));
    this.#underWay.add(answered);
  }
}

/** An endpoint, and how often it was asked. */
class Counted {
  #requests = 0;
  #errors = 0;
  #lastError = "";
  #nanoseconds = 0;

  constructor(readonly endpoint: Endpoint) {}

  async ask(message: Msg): Promise<void> {
    const asked = process.hrtime.bigint();
    const { body, error } = await this.endpoint.answer(message.data, message.headers);
    this.#requests += 1;
    this.#nanoseconds += Number(process.hrtime.bigint() - asked);
    if (error === undefined) {
      message.respond(body);
      return;
    }
    this.#errors += 1;
    // A header is one line of ASCII.
    this.#lastError = bounded(error.replace(/[^\x20-\x7e]+/g, " "), 200);
    const said = headers();
    said.set("Nats-Service-Error", this.#lastError);
    said.set("Nats-Service-Error-Code", "500");
    message.respond(body, { headers: said });
  }

  info(): object {
    const { name, subject, queue } = this.endpoint;
    return { name, subject, queue_group: queue, metadata: {} };
  }

  stats(): object {
    const { name, subject, queue } = this.endpoint;
    return {
      name,
      subject,
      queue_group: queue,
      num_requests: this.#requests,
      num_errors: this.#errors,
      last_error: this.#lastError,
      processing_time: this.#nanoseconds,
      average_processing_time: this.#requests === 0 ? 0 : Math.round(this.#nanoseconds / this.#requests),
    };
  }
}
