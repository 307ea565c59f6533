/**
 * How far a counter has come between two pages.
 *
 * Pure; it never takes a reset, a page that was not renewed or a series that nobody finds for "nothing
 * happened".
 */

import type { Metric, Series } from "./exposition.js";
import type { Progress } from "./rate.js";
import type { Selector } from "./selector.js";

/** A counter as one page has it. */
export interface Counted {
  readonly series: ReadonlyMap<string, Series>;
  readonly created: ReadonlyMap<string, number>;
}

/**
 * The series of a metric that a selector takes.
 *
 * @throws {Error} where the metric is not there, is no counter, or nothing of it can be meant
 */
export function select(metric: Metric, selector: Selector): Counted {
  const { name } = selector;
  const { type, count, labels, isWanted, series, created } = metric;
  if (count === 0 && type === undefined) {
    const others = [...metric.similar].join(", ");
    throw new Error(`has no ${name}${others === "" ? "" : `; it has ${others}`}`);
  }
  if (!isCounter(type, name))
    throw new Error(`has ${name} as a ${type}; name a counter, or a histogram's _count`);
  const unknown = count === 0 ? undefined : selector.labels.find((label) => !labels.has(label));
  if (unknown !== undefined) throw new Error(`has no series of ${name} with the label ${unknown}`);
  // A counter that stands on the page without a series has counted nothing yet, and one of which all is to be
  // passed over has counted nothing else. What is asked for by name and is not there may be a mistake.
  if (series.size === 0 && !isWanted && !selector.wantsAny)
    throw new Error(`has no series that is ${selector}`);
  for (const { value } of series.values()) {
    if (!Number.isFinite(value) || value < 0) throw new Error(`has ${name} at ${value}, which is no count`);
  }
  return { series, created };
}

function isCounter(type: string | undefined, name: string): boolean {
  switch (type) {
    case undefined:
    case "counter":
    case "untyped":
    case "unknown":
      return true;
    case "histogram":
    case "summary":
    case "gaugehistogram":
      return type !== "gaugehistogram" && name.endsWith("_count");
    default:
      return false;
  }
}

/** What was counted between two pages; what was lost on the way is a doubt. */
export function increase(before: Counted, now: Counted, name: string): Progress {
  let requests = 0;
  let doubt: string | undefined;
  for (const [key, { value, timestamp }] of now.series) {
    const last = before.series.get(key);
    if (last === undefined) {
      // A series begins at 0 with the first that it counts.
      requests += value;
      continue;
    }
    const isReset = value < last.value || began(now, key) !== began(before, key);
    requests += isReset ? value : value - last.value;
    if (isReset) doubt = `was reset: its ${name} fell from ${last.value} to ${value}`;
    if (timestamp !== undefined && last.timestamp !== undefined && timestamp <= last.timestamp) {
      doubt = `has ${name} as it was counted before the last check`;
    }
  }
  for (const key of before.series.keys()) {
    if (!now.series.has(key)) doubt = `was reset: a series of its ${name} has gone`;
  }
  return { requests, ignored: 0, doubt };
}

function began({ created }: Counted, key: string): number | undefined {
  return created.get(key);
}
