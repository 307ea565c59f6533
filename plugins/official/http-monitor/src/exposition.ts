/**
 * Reads a page of metrics: Prometheus' text format 0.0.4 and OpenMetrics 1.0.0, as far as one counter takes.
 *
 * It holds every line to the format and no more of the page than that counter: half a page, or a page of
 * something else, is an error and never a small number.
 */

import type { Labels } from "./selector.js";

export interface Series {
  readonly labels: Labels;
  readonly value: number;
  /** When it was counted, where the page says so: in the page's own unit, only to be compared. */
  readonly timestamp: number | undefined;
}

/** One metric of a page. */
export interface Metric {
  /** `counter`, `gauge` …; undefined where the page does not say. */
  readonly type: string | undefined;
  /** By their labels. */
  readonly series: ReadonlyMap<string, Series>;
  /** When counting began, by the same labels, where the page says so. */
  readonly created: ReadonlyMap<string, number>;
  /** Names on the page that people may have meant. */
  readonly similar: ReadonlySet<string>;
}

/** The two formats. */
export type Form = "text" | "openmetrics";

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABELS = String.raw`\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\}`;
const EXEMPLAR = String.raw`(?: # ${LABELS} \S+(?: \S+)?)?`;
const SAMPLE = {
  text: new RegExp(`^[ \\t]*(${NAME})[ \\t]*(${LABELS})?[ \\t]+(\\S+)(?:[ \\t]+(\\S+))?[ \\t]*$`, "s"),
  openmetrics: new RegExp(`^(${NAME})(${LABELS})? (\\S+)(?: ((?!#)\\S+))?${EXEMPLAR}$`, "s"),
} as const;
const LABEL = /[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(,|$)/sy;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const NOT_FINITE = /^(?:[+-]?inf(?:inity)?|nan)$/i;

/** Names that are kept for a message. */
const MOST_SIMILAR = 5;

/**
 * What the page says of the metric with this name.
 *
 * @throws {SyntaxError} that names the line which is not of the format
 */
export function readMetric(page: string, name: string, form: Form): Metric {
  const reading = new Reading(name, form);
  let number = 0;
  let from = 0;
  while (from < page.length) {
    const end = page.indexOf("\n", from);
    number += 1;
    const line = page.slice(from, end === -1 ? undefined : end);
    try {
      reading.take(line.endsWith("\r") ? line.slice(0, -1) : line);
    } catch (error) {
      throw new SyntaxError(`line ${number} ${(error as Error).message}`, { cause: error });
    }
    // Both formats end each line; a page that does not was cut.
    if (end === -1) throw new SyntaxError(`ends within line ${number}`);
    from = end + 1;
  }
  return reading.end();
}

class Reading {
  readonly #name: string;
  readonly #form: Form;
  readonly #createdName: string;
  readonly #types = new Map<string, string>();
  readonly #series = new Map<string, Series>();
  readonly #created = new Map<string, number>();
  readonly #similar = new Set<string>();
  #hasEnded = false;

  constructor(name: string, form: Form) {
    this.#name = name;
    this.#form = form;
    this.#createdName = `${baseOf(name)}_created`;
  }

  take(line: string): void {
    if (this.#hasEnded) throw new SyntaxError("stands behind the end of the page");
    if (line.startsWith("#")) this.#comment(line);
    else if (this.#form === "openmetrics" || line.trim() !== "") this.#sample(line);
  }

  end(): Metric {
    if (this.#form === "openmetrics" && !this.#hasEnded) throw new SyntaxError("ends without # EOF");
    const type = this.#types.get(this.#name) ?? this.#types.get(baseOf(this.#name));
    return { type, series: this.#series, created: this.#created, similar: this.#similar };
  }

  #comment(line: string): void {
    if (this.#form === "openmetrics" && line === "# EOF") this.#hasEnded = true;
    const [, name, type] = /^#[ \t]+TYPE[ \t]+(\S+)[ \t]+(\S+)[ \t]*$/.exec(line) ?? [];
    if (name === undefined || type === undefined) return;
    if (name === this.#name || name === baseOf(this.#name)) this.#types.set(name, type);
  }

  #sample(line: string): void {
    const match = SAMPLE[this.#form].exec(line);
    if (match === null) throw new SyntaxError(`is of no metric: ${JSON.stringify(line.slice(0, 60))}`);
    const [, name = "", labelled = "{}", written = "", timestamp] = match;
    const value = number(written);
    const time = timestamp === undefined ? undefined : number(timestamp);
    if (name === this.#name) {
      const [key, labels] = readLabels(labelled);
      if (this.#series.has(key)) throw new SyntaxError("has a series that was there before");
      this.#series.set(key, { labels, value, timestamp: time });
    } else if (name === this.#createdName) {
      this.#created.set(readLabels(labelled)[0], value);
    } else if (
      this.#similar.size < MOST_SIMILAR &&
      (/requests?_total$/.test(name) || isNear(name, this.#name))
    ) {
      this.#similar.add(name);
    }
  }
}

/** The family that a sample belongs to, where its name has a suffix. */
function baseOf(name: string): string {
  return name.replace(/_(?:total|count|sum|bucket)$/, "");
}

function isNear(name: string, other: string): boolean {
  return name.startsWith(other) || other.startsWith(name);
}

function number(text: string): number {
  if (NUMBER.test(text)) return Number(text);
  if (!NOT_FINITE.test(text))
    throw new SyntaxError(`has ${JSON.stringify(text.slice(0, 40))} where a number belongs`);
  if (/nan/i.test(text)) return Number.NaN;
  return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** The labels between braces, and the same in one order as a key. */
function readLabels(braced: string): [string, Labels] {
  const text = braced.slice(1, -1);
  const labels = new Map<string, string>();
  let at = 0;
  while (text.slice(at).trim() !== "") {
    LABEL.lastIndex = at;
    const [, label, escaped] = LABEL.exec(text) ?? [];
    if (label === undefined || escaped === undefined || labels.has(label)) {
      throw new SyntaxError(`has labels that cannot be read: ${JSON.stringify(text.slice(0, 60))}`);
    }
    labels.set(
      label,
      escaped.replace(/\\(.)/gs, (_, named: string) => (named === "n" ? "\n" : named)),
    );
    at = LABEL.lastIndex;
  }
  return [JSON.stringify([...labels].sort(([a], [b]) => (a < b ? -1 : 1))), labels];
}
