/**
 * The plugin: idle while a web server answers fewer requests a second than a threshold.
 *
 * It holds the sources that are configured and asks each of them at a check, never two checks at once, and
 * never waits longer than the runner does.
 */

import type { Config, Plugin, Vote } from "cloudsnooze-plugin";
import { AccessLog } from "./access-log.js";
import { MetricsPage } from "./metrics-page.js";
import { type Progress, Window } from "./rate.js";
import { type Settings, settings } from "./settings.js";
import { type Finding, vote } from "./vote.js";

/** One check; the runner waits 5 s for it. */
const LIMIT_MS = 3_500;

/** A check may still have to read what it has fetched. */
const FETCH_MS = 3_000;

/** All logs together, in one check: some 300,000 requests. */
const MOST_BYTES = 64 * 1024 * 1024;

/** What requests are counted in. */
interface Source {
  readonly name: string;
  readonly kind: Finding["kind"];
  readonly window: Window;
  advance(): Promise<Progress>;
  close(): Promise<void>;
}

export class HttpMonitor implements Plugin {
  readonly info = {
    name: "http-monitor",
    version: "1.0.0",
    display_name: "HTTP Request Monitor",
    author: "CloudSnooze",
    description: "Idle while a web server answers fewer requests a second than a threshold",
  };

  #settings: Settings = settings({});
  #sources: readonly Source[] | undefined;
  #budget = { bytes: 0, untilMs: 0 };
  #check: Promise<Vote> | undefined;

  async configure(config: Config): Promise<void> {
    const next = settings(config);
    const sources = next.sources === this.#settings.sources ? undefined : this.#sources;
    this.#settings = next;
    if (sources === undefined) return;
    this.#sources = undefined;
    await closeAll(sources);
  }

  /** Who asks while a check is under way gets its answer: two at once would count the same lines. */
  async checkIdle(): Promise<Vote> {
    this.#check ??= this.#look().finally(() => {
      this.#check = undefined;
    });
    return within(LIMIT_MS, this.#check);
  }

  async shutdown(): Promise<void> {
    const sources = this.#sources ?? [];
    this.#sources = undefined;
    await closeAll(sources);
  }

  async #look(): Promise<Vote> {
    const current = this.#settings;
    this.#sources ??= this.#open(current);
    this.#budget = { bytes: MOST_BYTES, untilMs: performance.now() + FETCH_MS };
    return vote(await Promise.all(this.#sources.map(look)), current.threshold);
  }

  #open({ logs, page, windowSeconds }: Settings): readonly Source[] {
    const sources: Source[] = logs.paths.map((path) => {
      const log = new AccessLog(path, logs.ignored, logs.fields);
      return {
        name: log.name,
        kind: "log",
        window: new Window(windowSeconds),
        advance: () => log.advance(this.#budget),
        close: () => log.close(),
      };
    });
    if (page === undefined) return sources;
    const metrics = new MetricsPage(page.url, page.selector, page.ownRequests, page);
    return [
      ...sources,
      {
        name: metrics.name,
        kind: "page",
        window: new Window(windowSeconds),
        advance: () => metrics.advance(AbortSignal.timeout(FETCH_MS)),
        close: async () => {},
      },
    ];
  }
}

async function look({ name, kind, window, advance }: Source): Promise<Finding> {
  try {
    const found = await advance();
    window.add(performance.now(), found);
  } catch (error) {
    window.forget();
    return { name, kind, found: (error as Error).message };
  }
  return { name, kind, found: window.rate() ?? `${name}: the first look; the next check tells a rate` };
}

async function within<T>(limitMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const text = `a log's disk, or what stands behind it, did not answer within ${limitMs} ms`;
    timer = setTimeout(() => reject(new Error(text)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function closeAll(sources: readonly Source[]): Promise<void> {
  await Promise.all(sources.map((source) => source.close()));
}
