/**
 * The plugin: idle while a web server answers fewer requests a second than a threshold.
 *
 * It never says idle of what it saw only in part: what may be missing makes the vote unknown, unless what
 * was seen is use already.
 */

import { busy, type Config, idle, type Plugin, type Vote } from "cloudsnooze-plugin";
import { AccessLog } from "./access-log.js";
import { MetricsPage } from "./metrics-page.js";
import { type Progress, type Rate, Window } from "./rate.js";
import { type Settings, settings } from "./settings.js";

/** One check; the runner waits 5 s for it. */
const LIMIT_MS = 3_500;

/** A check may still have to read what it has fetched. */
const FETCH_MS = 3_000;

/** All logs together, in one check: some 300,000 requests. */
const MOST_BYTES = 64 * 1024 * 1024;

/** What requests are counted in. */
interface Source {
  readonly name: string;
  readonly kind: "log" | "page";
  readonly window: Window;
  advance(): Promise<Progress>;
  close(): Promise<void>;
}

/** What a check found out of one source. */
type Finding = { readonly source: Source } & ({ readonly rate: Rate } | { readonly unknown: string });

/** Why there is no vote. It is expected, and told in one line of the log where others have a stack. */
class Unknown extends Error {
  override readonly name = "Unknown";

  constructor(message: string) {
    super(message);
    this.stack = message;
  }
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

async function look(source: Source): Promise<Finding> {
  try {
    const found = await source.advance();
    source.window.add(performance.now(), found);
  } catch (error) {
    source.window.forget();
    return { source, unknown: (error as Error).message };
  }
  const rate = source.window.rate();
  if (rate !== undefined) return { source, rate };
  return { source, unknown: `${source.name}: the first look; the next check tells a rate` };
}

/** The same requests may stand in a log and on the page, and no two logs hold the same. */
function vote(findings: readonly Finding[], threshold: number): Vote {
  const rates = findings.filter((finding) => "rate" in finding);
  const logs = rates.filter(({ source }) => source.kind === "log");
  const pages = rates.filter(({ source }) => source.kind === "page");
  const perSecond = Math.max(sum(logs), sum(pages));
  const details = {
    requests_per_second: rounded(perSecond),
    requests_per_second_threshold: threshold,
    sources: Object.fromEntries(rates.map(({ source, rate }) => [source.name, shown(rate)])),
  };
  const seconds = Math.round(Math.max(0, ...rates.map(({ rate }) => rate.seconds)));
  if (perSecond >= threshold) {
    return busy(`${rounded(perSecond)} requests/s over ${seconds} s, idle below ${threshold}`, details);
  }
  const unknown = findings.map(doubtOf).filter((text) => text !== undefined);
  if (unknown.length > 0) throw new Unknown(unknown.join("; "));
  return idle(`${rounded(perSecond)} requests/s over ${seconds} s, below ${threshold}`, details);
}

function doubtOf(finding: Finding): string | undefined {
  if ("unknown" in finding) return finding.unknown;
  const { source, rate } = finding;
  return rate.doubt === undefined
    ? undefined
    : `${source.name} ${rate.doubt}; at least ${rounded(rate.perSecond)} requests/s`;
}

function sum(findings: readonly { readonly rate: Rate }[]): number {
  return findings.reduce((total, { rate }) => total + rate.perSecond, 0);
}

function shown({ requests, ignored, seconds, perSecond }: Rate): Record<string, number> {
  return { requests, ignored, seconds: rounded(seconds), requests_per_second: rounded(perSecond) };
}

/** Three digits say enough, and a small number is not made 0. */
function rounded(value: number): number {
  return Number(value.toPrecision(3));
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
