/**
 * Asks the plugin what was asked of it, and checks what it says.
 *
 * It knows neither lines nor subjects, and never turns an answer that it does not understand into a vote.
 */

import { bounded, errorText, type Plain, plain } from "./plain.js";
import type { Config, Metrics, Plugin, PluginEvent } from "./plugin.js";
import { Outcome, Vote } from "./results.js";

/** What a plugin can be asked, by its name on NATS. */
export const METHODS = [
  "info",
  "configure",
  "initialize",
  "check_idle",
  "handle_event",
  "supported_events",
  "shutdown",
] as const;

/** One of them. */
export type Method = (typeof METHODS)[number];

/** A request that is wrong, whatever the plugin would say. */
export class BadRequest extends Error {}

/** A method that this plugin does not have. */
export class UnknownMethod extends Error {
  constructor(method: string) {
    super(bounded(`Unknown method: ${method}`, 100));
  }
}

type Body = Readonly<Record<string, unknown>>;

/** What stands for every host, and is no host's name. */
const FLEET = "fleet";

const READINGS = [
  "cpu_usage",
  "memory_usage",
  "network_traffic",
  "disk_io",
  "gpu_usage",
  "timestamp",
] as const;

/** A plugin that is being asked. */
export class Dispatcher {
  readonly #plugin: Plugin;
  readonly #host: string | undefined;
  #initialized: Promise<void> | undefined;
  #hasBegun = false;

  /** `host` is the one that its subjects name, where they name one: what names another one is refused. */
  constructor(plugin: Plugin, host?: string) {
    this.#plugin = plugin;
    this.#host = host;
  }

  /**
   * Asks one thing. `named` is what the method is called where it was asked.
   *
   * @throws {UnknownMethod} when the plugin does not have the method
   * @throws {BadRequest} when the request is wrong
   * @throws whatever the plugin throws
   */
  async ask(method: Method, params: Body, named: string): Promise<Plain> {
    if (this.#host !== undefined) checkHost(params, this.#host);
    switch (method) {
      case "info":
        return this.#info();
      case "configure":
        return this.#configure(params, named);
      case "initialize":
        await this.#initialize();
        return { success: true };
      case "check_idle":
        return this.#checkIdle(params, named);
      case "handle_event":
        return this.#handleEvent(params, named);
      case "supported_events":
        return this.#supportedEvents(named);
      case "shutdown":
        await this.shutdown();
        return { success: true };
    }
  }

  /** Ends what `configure` and `initialize` began; does nothing where there is nothing to end. */
  async shutdown(): Promise<void> {
    const initialized = this.#initialized;
    const hasBegun = this.#hasBegun;
    this.#initialized = undefined;
    this.#hasBegun = false;
    // Its failure was answered to whoever asked for it.
    await initialized?.catch(() => {});
    if (hasBegun) await this.#plugin.shutdown?.();
  }

  #info(): Plain {
    return plain({ version: "0.0.0", language: "typescript", ...this.#plugin.info });
  }

  async #configure(params: Body, named: string): Promise<Plain> {
    if (this.#plugin.configure === undefined) throw new UnknownMethod(named);
    const config: Config = objectIn(params, "config", named);
    this.#hasBegun = true;
    await this.#plugin.configure(config);
    return { success: true };
  }

  // Whoever asks first makes it happen: a plugin that serves a whole fleet is told by nobody to begin.
  async #initialize(): Promise<void> {
    this.#hasBegun = true;
    const started = this.#initialized ?? (async () => this.#plugin.initialize?.())();
    this.#initialized = started;
    try {
      await started;
    } catch (error) {
      if (this.#initialized === started) this.#initialized = undefined;
      throw error;
    }
  }

  async #checkIdle(params: Body, named: string): Promise<Plain> {
    if (this.#plugin.checkIdle === undefined) throw new UnknownMethod(named);
    const metrics: Record<string, unknown> = { ...objectIn(params, "metrics", named) };
    for (const reading of READINGS) {
      // What is absent would compare as neither below nor above any threshold.
      if (typeof metrics[reading] !== "number") metrics[reading] = null;
    }
    const { host = this.#host } = params;
    await this.#initialize();
    const vote: unknown = await this.#plugin.checkIdle(
      metrics as unknown as Metrics,
      typeof host === "string" ? host : undefined,
    );
    if (!Vote.is(vote)) throw new TypeError("checkIdle returned neither idle(…) nor busy(…)");
    return { is_idle: vote.isIdle, reason: vote.reason.toWellFormed(), details: plain(vote.details) };
  }

  async #handleEvent(params: Body, named: string): Promise<Plain> {
    if (this.#plugin.handleEvent === undefined) throw new UnknownMethod(named);
    const asked = objectIn(params, "event", named);
    if (typeof asked.type !== "string") throw new BadRequest(`${named}: the event has no type`);
    const event: Record<string, unknown> = { data: {}, ...asked };
    // On NATS it stands beside the event, in a line within it.
    if (typeof params.left_ms === "number") event.left_ms = params.left_ms;
    await this.#initialize();
    const outcome: unknown = await this.#plugin.handleEvent(event as unknown as PluginEvent);
    if (!Outcome.is(outcome)) {
      throw new TypeError("handleEvent returned none of handled(…), failed(…) and notHandled(…)");
    }
    return {
      handled: outcome.handled,
      succeeded: outcome.succeeded,
      message: outcome.message.toWellFormed(),
      details: plain(outcome.details),
    };
  }

  async #supportedEvents(named: string): Promise<Plain> {
    if (this.#plugin.supportedEvents === undefined) throw new UnknownMethod(named);
    const events: unknown = await this.#plugin.supportedEvents();
    if (!Array.isArray(events) || !events.every((event) => typeof event === "string")) {
      throw new TypeError("supportedEvents returned no list of event types");
    }
    return { events: plain(events) };
  }
}

/**
 * What a failure says to whoever asked. A plugin's own text never reads as "I do not know this method":
 * that would take its vote away, and a vote that is not there stops no machine from being stopped.
 */
export function failureText(thrown: unknown): string {
  const text = errorText(thrown);
  const isOurs = thrown instanceof UnknownMethod;
  return !isOurs && /^unknown method/i.test(text) ? bounded(`failed: ${text}`, 500) : text;
}

/** Whoever may publish to one host's subjects could else have another's event handled there. */
function checkHost(params: Body, host: string): void {
  const event: unknown = params.event;
  const ofEvent = typeof event === "object" && event !== null && "host" in event ? event.host : undefined;
  for (const named of [params.host, ofEvent]) {
    if (named !== undefined && named !== null && named !== host && named !== FLEET) {
      throw new BadRequest(`the body names the host ${String(named)}, and the subject ${host}`);
    }
  }
}

function objectIn(params: Body, key: string, named: string): Record<string, unknown> {
  const value = params[key];
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new BadRequest(`${named}: ${key} is no object`);
  }
  return value as Record<string, unknown>;
}
