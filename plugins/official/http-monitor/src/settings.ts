/**
 * The plugin's configuration, checked whole: every mistake is named by its key, and nothing of a
 * configuration with a mistake is used.
 *
 * Pure; it opens nothing and never puts a secret into an error.
 */

import { isAbsolute } from "node:path";
import type { Config } from "cloudsnooze-plugin";
import { Ignored } from "./ignored.js";
import { NGINX_REQUESTS } from "./metrics-page.js";
import type { JsonFields } from "./request.js";
import { Selector } from "./selector.js";

/** A secret, or the file that holds it and the key that names the file. */
export type Secret = { readonly value: string } | { readonly file: string; readonly key: string };

export interface LogSettings {
  readonly paths: readonly string[];
  readonly ignored: Ignored;
  readonly fields: JsonFields;
}

export interface PageSettings {
  readonly url: URL;
  readonly selector: Selector;
  readonly ownRequests: number | undefined;
  readonly user: string | undefined;
  readonly password: Secret | undefined;
  readonly token: Secret | undefined;
  readonly caFile: string | undefined;
}

export interface Settings {
  readonly threshold: number;
  readonly windowSeconds: number;
  readonly logs: LogSettings;
  readonly page: PageSettings | undefined;
  /** What is the same where the sources are the same: they count on then. */
  readonly sources: string;
}

/** Six requests a minute: less than one page that a person opens, more than what a stray robot asks for. */
const DEFAULT_THRESHOLD = 0.1;

/** The time between two checks where the host's file does not say otherwise. */
const DEFAULT_WINDOW_SECONDS = 60;

/** Where Debian's nginx writes. */
const DEFAULT_LOG = "/var/log/nginx/access.log";

/** What asks whether a server is there, without using it: of AWS, Google Cloud, Azure and Kubernetes. */
export const DEFAULT_AGENTS: readonly string[] = [
  "ELB-HealthChecker/",
  "Amazon-Route53-Health-Check-Service",
  "GoogleHC/",
  "GoogleStackdriverMonitoring-UptimeChecks",
  "Load Balancer Agent",
  "Edge Health Probe",
  "kube-probe/",
];

const MOST_LOGS = 64;
const MOST_ENTRIES = 1_000;
const LONGEST_TEXT = 4_096;

const LOG_KEYS = ["access_log", "ignore_paths", "ignore_agents", "ignore_addresses", "json_fields"] as const;
const PAGE_KEYS = [
  "metrics_url",
  "metric",
  "metrics_own_requests",
  "metrics_user",
  "metrics_password",
  "metrics_password_file",
  "metrics_token",
  "metrics_token_file",
  "metrics_ca_file",
] as const;
const KEYS: readonly string[] = [
  "requests_per_second_threshold",
  "window_seconds",
  ...LOG_KEYS,
  ...PAGE_KEYS,
];

/**
 * The settings that a configuration means.
 *
 * @throws {Error} that names every key with a mistake, and what belongs there
 */
export function settings(config: Config): Settings {
  const reader = new Reader(config);
  const threshold = reader.number("requests_per_second_threshold", DEFAULT_THRESHOLD, {
    what: "a number above 0",
    fits: (value) => value > 0,
  });
  const windowSeconds = reader.number("window_seconds", DEFAULT_WINDOW_SECONDS, {
    what: "a number from 1 to 3600",
    fits: (value) => value >= 1 && value <= 3_600,
  });
  const page = reader.pages();
  const logs = reader.logs(page === undefined ? [DEFAULT_LOG] : []);
  reader.end();
  const kept = [...LOG_KEYS, ...PAGE_KEYS, "window_seconds"].map((key) => config[key] ?? null);
  return { threshold, windowSeconds, logs, page, sources: JSON.stringify(kept) };
}

class Reader {
  readonly #config: Config;
  readonly #mistakes: string[] = [];

  constructor(config: Config) {
    this.#config = config;
    for (const key of Object.keys(config))
      if (!KEYS.includes(key)) this.#mistake(`${key} is no key of http-monitor`);
  }

  end(): void {
    if (this.#mistakes.length > 0) throw new Error(this.#mistakes.join("; "));
  }

  number(
    key: string,
    otherwise: number,
    { what, fits }: { what: string; fits: (value: number) => boolean },
  ): number {
    const value = this.#config[key] ?? otherwise;
    if (typeof value === "number" && Number.isFinite(value) && fits(value)) return value;
    this.#mistake(`${key} is ${what}`);
    return otherwise;
  }

  logs(otherwise: readonly string[]): LogSettings {
    const given = this.#config.access_log;
    const paths = typeof given === "string" ? [given] : this.#texts("access_log", otherwise);
    if (paths.length > MOST_LOGS || !paths.every((path) => isAbsolute(path) && !path.includes("\0"))) {
      this.#mistake(`access_log is the whole path of a file, or a list of ${MOST_LOGS} at most`);
    }
    if (Array.isArray(given) && given.length === 0)
      this.#mistake("access_log is an empty list: leave it out, or name a file");
    const ignorePaths = this.#texts("ignore_paths", []);
    if (!ignorePaths.every((path) => path.startsWith("/"))) {
      this.#mistake("ignore_paths are paths as /healthz, or beginnings of them as /static/*");
    }
    const agents = this.#texts("ignore_agents", DEFAULT_AGENTS);
    const addresses = this.#texts("ignore_addresses", []);
    return {
      paths: [...new Set(paths)],
      ignored: this.#ignored(ignorePaths, agents, addresses),
      fields: this.#fields(),
    };
  }

  pages(): PageSettings | undefined {
    const url = this.#url();
    const ownRequests = this.#config.metrics_own_requests ?? undefined;
    if (ownRequests !== undefined && !(Number.isSafeInteger(ownRequests) && Number(ownRequests) >= 0)) {
      this.#mistake("metrics_own_requests is a whole number from 0 on");
    }
    const page = {
      selector: this.#selector(),
      ownRequests: ownRequests as number | undefined,
      user: this.#text("metrics_user") ?? (url?.username ? decodeURIComponent(url.username) : undefined),
      password: this.#secret(
        "metrics_password",
        url?.password ? decodeURIComponent(url.password) : undefined,
      ),
      token: this.#secret("metrics_token"),
      caFile: this.#path("metrics_ca_file"),
    };
    if (page.user !== undefined && page.token !== undefined)
      this.#mistake("metrics_user and metrics_token exclude each other");
    if (page.user === undefined && page.password !== undefined)
      this.#mistake("metrics_password needs metrics_user");
    if (url === undefined) {
      const alone = PAGE_KEYS.find((key) => key !== "metrics_url" && key !== "metric" && this.#has(key));
      if (alone !== undefined && !this.#has("metrics_url")) this.#mistake(`${alone} needs metrics_url`);
      return undefined;
    }
    url.username = "";
    url.password = "";
    return { url, ...page };
  }

  #url(): URL | undefined {
    const text = this.#text("metrics_url");
    if (text === undefined) return undefined;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url?.protocol === "http:" || url?.protocol === "https:") return url;
    this.#mistake("metrics_url is an address as http://127.0.0.1:9113/metrics");
    return undefined;
  }

  #selector(): Selector {
    try {
      return new Selector(this.#text("metric") ?? NGINX_REQUESTS);
    } catch (error) {
      this.#mistake(`metric: ${(error as Error).message}`);
      return new Selector(NGINX_REQUESTS);
    }
  }

  #ignored(paths: readonly string[], agents: readonly string[], addresses: readonly string[]): Ignored {
    try {
      return new Ignored(paths, agents, addresses);
    } catch (error) {
      this.#mistake(`ignore_addresses: ${(error as Error).message}`);
      return new Ignored([], [], []);
    }
  }

  #fields(): JsonFields {
    const given = this.#config.json_fields ?? {};
    const names = ["path", "agent", "address"];
    const isOurs = ([key, value]: [string, unknown]): boolean => names.includes(key) && isText(value);
    if (typeof given !== "object" || Array.isArray(given) || !Object.entries(given).every(isOurs)) {
      this.#mistake(
        'json_fields are names of fields, as {"path":"req.url","agent":"req.agent","address":"peer"}',
      );
      return { path: "", agent: "", address: "" };
    }
    return { path: "", agent: "", address: "", ...given };
  }

  #secret(key: string, otherwise?: string): Secret | undefined {
    const value = this.#text(key) ?? otherwise;
    const fileKey = `${key}_file`;
    const file = this.#path(fileKey);
    if (value !== undefined && file !== undefined) this.#mistake(`${key} and ${fileKey} exclude each other`);
    if (value !== undefined) return { value };
    return file === undefined ? undefined : { file, key: fileKey };
  }

  #path(key: string): string | undefined {
    const path = this.#text(key);
    if (path !== undefined && !isAbsolute(path)) this.#mistake(`${key} is the whole path of a file`);
    return path;
  }

  #text(key: string): string | undefined {
    const value = this.#config[key] ?? undefined;
    if (value === undefined || isText(value)) return value;
    this.#mistake(`${key} is a text of one line`);
    return undefined;
  }

  #texts(key: string, otherwise: readonly string[]): readonly string[] {
    const value = this.#config[key] ?? otherwise;
    if (Array.isArray(value) && value.length <= MOST_ENTRIES && value.every(isText)) return value;
    this.#mistake(`${key} is a list of texts`);
    return otherwise;
  }

  #has(key: string): boolean {
    return (this.#config[key] ?? undefined) !== undefined;
  }

  #mistake(text: string): void {
    this.#mistakes.push(text);
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= LONGEST_TEXT && !/\p{Cc}/u.test(value);
}
