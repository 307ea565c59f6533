/**
 * Makes a vote of what a check found.
 *
 * Pure; it never says idle of what was seen only in part: what may be missing makes the vote unknown, unless
 * what was seen is use already.
 */

import { busy, idle, type Vote } from "cloudsnooze-plugin";
import type { Rate } from "./rate.js";

/** What a check found out of one source. */
export interface Finding {
  readonly name: string;
  readonly kind: "log" | "page";
  /** A rate, or why there is none. */
  readonly found: Rate | string;
}

/** Why there is no vote. It is expected, and told in one line of the log where others have a stack. */
export class Unknown extends Error {
  constructor(message: string) {
    super(message);
    this.stack = message;
  }
}

/**
 * Busy at the threshold. The same requests may stand in a log and on the page, and no two logs hold the same.
 *
 * @throws {Unknown} that says all that is not known
 */
export function vote(findings: readonly Finding[], threshold: number): Vote {
  const perSecond = Math.max(sum(findings, "log"), sum(findings, "page"));
  const rates = findings.flatMap(({ name, found }) =>
    typeof found === "string" ? [] : [{ name, rate: found }],
  );
  const details = {
    requests_per_second: rounded(perSecond),
    requests_per_second_threshold: threshold,
    sources: Object.fromEntries(rates.map(({ name, rate }) => [name, shown(rate)])),
  };
  const seconds = Math.round(Math.max(0, ...rates.map(({ rate }) => rate.seconds)));
  if (perSecond >= threshold) {
    return busy(`${rounded(perSecond)} requests/s over ${seconds} s, idle below ${threshold}`, details);
  }
  const unknown = findings.map(doubtOf).filter((text) => text !== undefined);
  if (unknown.length > 0) throw new Unknown(unknown.join("; "));
  return idle(`${rounded(perSecond)} requests/s over ${seconds} s, below ${threshold}`, details);
}

function doubtOf({ name, found }: Finding): string | undefined {
  if (typeof found === "string") return found;
  if (found.doubt === undefined) return undefined;
  return `${name} ${found.doubt}; at least ${rounded(found.perSecond)} requests/s`;
}

function sum(findings: readonly Finding[], of: Finding["kind"]): number {
  return findings.reduce((total, { kind, found }) => {
    return kind === of && typeof found !== "string" ? total + found.perSecond : total;
  }, 0);
}

function shown({ requests, ignored, seconds, perSecond }: Rate): Record<string, number> {
  return { requests, ignored, seconds: rounded(seconds), requests_per_second: rounded(perSecond) };
}

/** Three digits say enough, and a small number is not made 0. */
function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
