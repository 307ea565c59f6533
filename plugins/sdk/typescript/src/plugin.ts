/**
 * What a plugin is, and what it is asked with.
 *
 * Names of what travels are those of the protocol (`cpu_usage`, `left_ms`): the documentation of events
 * and readings holds for every language. Nothing here does anything.
 */

import type { Outcome, Vote } from "./results.js";
import { BadSettings } from "./settings.js";

/** Who a plugin is. More keys may be added; they are passed on as they are. */
export interface PluginInfo {
  /** 1 to 64 of `a-z 0-9 -`, and not the name of a built-in voter. */
  readonly name: string;
  /** A semantic version; `0.0.0` where it is absent. */
  readonly version?: string;
  readonly display_name?: string;
  readonly author?: string;
  readonly description?: string;
  readonly [more: string]: unknown;
}

/** The host's readings. What could not be read is null, and never 0. */
export interface Metrics {
  /** Percent. */
  readonly cpu_usage: number | null;
  /** Percent. */
  readonly memory_usage: number | null;
  /** KiB/s. */
  readonly network_traffic: number | null;
  /** KiB/s. */
  readonly disk_io: number | null;
  /** Percent. */
  readonly gpu_usage: number | null;
  /** Unix seconds. */
  readonly timestamp: number | null;
  readonly [more: string]: unknown;
}

/** Something that happened or will happen. */
export interface PluginEvent {
  readonly id: string;
  /** As `cloud.spot.interrupt` or `custom.backup`. */
  readonly type: string;
  /** 0 info, 1 warning, 2 urgent, 3 critical. */
  readonly severity: number;
  readonly source: string;
  /** The host's id, or `fleet`. */
  readonly host: string;
  /** RFC 3339, in UTC. */
  readonly noticed_at: string;
  /** RFC 3339, in UTC; absent where nothing ends. */
  readonly deadline?: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** How long the plugin has, in milliseconds, counted from when it was asked. */
  readonly left_ms?: number;
  readonly [more: string]: unknown;
}

/** What is configured for the plugin. Its values are those of a file: check them. */
export type Config = Readonly<Record<string, unknown>>;

/**
 * A plugin: `info`, and at least one of `checkIdle` and `handleEvent`.
 *
 * Each method may be async. What it throws is answered as an error, and a vote that is an error is
 * unknown, which is never idle.
 */
export interface Plugin {
  readonly info: PluginInfo;

  /** Takes a configuration, again whenever it changes. By throwing it keeps the one that it has. */
  configure?(config: Config): void | Promise<void>;

  /** Is called once before the first question, after `configure` where there is a configuration. */
  initialize?(): void | Promise<void>;

  /**
   * Says whether what the plugin watches is idle: the result of `idle` or of `busy`.
   *
   * `host` is the host that is asked about, where the plugin does not run as a child process on it.
   */
  checkIdle?(metrics: Metrics, host: string | undefined): Vote | Promise<Vote>;

  /** Handles an event: the result of `handled`, `failed` or `notHandled`. */
  handleEvent?(event: PluginEvent): Outcome | Promise<Outcome>;

  /** The types of events that it handles; `custom` stands for every `custom.*`. */
  supportedEvents?(): readonly string[] | Promise<readonly string[]>;

  /** Is called once at the end, if the plugin was configured or initialized. */
  shutdown?(): void | Promise<void>;
}

const BUILT_IN_VOTERS = new Set(["cpu", "memory", "network", "disk_io", "input", "people", "gpu"]);

/** What semver.org 2.0.0 gives as its pattern, without names for its parts. */
const SEMANTIC_VERSION =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$/;

/**
 * Checks what the compiler cannot: names become parts of subjects.
 *
 * @throws {BadSettings} that says what is wrong
 */
export function validate(plugin: Plugin): void {
  const info: unknown = plugin.info;
  if (typeof info !== "object" || info === null) {
    throw new BadSettings("a plugin needs an info, with its name in it");
  }
  const { name, version = "0.0.0" } = info as { name?: unknown; version?: unknown };
  if (typeof name !== "string" || !/^[a-z0-9-]{1,64}$/.test(name) || BUILT_IN_VOTERS.has(name)) {
    throw new BadSettings(
      `the plugin's name ${JSON.stringify(name)} is not 1 to 64 of a-z 0-9 -, or it is that of a built-in voter`,
    );
  }
  if (typeof version !== "string" || version.length > 64 || !SEMANTIC_VERSION.test(version)) {
    throw new BadSettings(
      `the version ${JSON.stringify(version)} of the plugin ${name} is no semantic version, as 1.0.0`,
    );
  }
  if (typeof plugin.checkIdle !== "function" && typeof plugin.handleEvent !== "function") {
    throw new BadSettings(`the plugin ${name} has neither checkIdle nor handleEvent`);
  }
}
