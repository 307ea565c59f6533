/**
 * Reads a page of metrics: Prometheus' text format 0.0.4 and OpenMetrics 1.0.0, as far as one counter takes.
 *
 * It holds every line to the format and no more of the page than that counter: half a page, or a page of
 * something else, is an error and never a small number.
 */

import type { Labels, Selector } from "./selector.js";

/** One time series of a counter. */
export interface Series {
  readonly value: number;
  /** When it was counted, where the page says so: in the page's own unit, only to be compared. */
  readonly timestamp: number | undefined;
}

/** What a page says of one metric. */
export interface Metric {
  /** `counter`, `gauge` …; undefined where the page does not say. */
  readonly type: string | undefined;
  /** How many series it has, whether selected or not. */
  readonly count: number;
  /** The labels that any of them has. */
  readonly labels: ReadonlySet<string>;
  /** Whether one of them has all that the selector asks for, whatever it excludes. */
  readonly isWanted: boolean;
  /** The selected ones, by their labels. */
  readonly series: ReadonlyMap<string, Series>;
  /** When counting began, by the same labels, where the page says so. */
  readonly created: ReadonlyMap<string, number>;
  /** Names on the page that people may have meant. */
  readonly similar: ReadonlySet<string>;
}

/** The key of a series without labels. */
export const NO_LABELS = "[]";

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

/** Selected series that are kept from one page to the next; an application has hundreds. */
const MOST_SERIES = 50_000;

/** Reads a page line by line, and what it says of one metric. */
export class MetricReader {
  readonly #selector: Selector;
  readonly #form: Form;
  readonly #createdName: string;
  readonly #types = new Map<string, string>();
  readonly #labels = new Set<string>();
  readonly #series = new Map<string, Series>();
  readonly #created = new Map<string, number>();
  readonly #similar = new Set<string>();
  #number = 0;
  #count = 0;
  #isWanted = false;
  #hasEnded = false;

  constructor(selector: Selector, form: Form) {
    this.#selector = selector;
    this.#form = form;
    this.#createdName = `${baseOf(selector.name)}_created`;
  }

  /**
   * Takes the next line, without its end.
   *
   * @throws {SyntaxError} that names it where it is not of the format
   */
  take(line: string): void {
    this.#number += 1;
    try {
      this.#line(line.endsWith("\r") ? line.slice(0, -1) : line);
    } catch (error) {
      throw new SyntaxError(`line ${this.#number} ${(error as Error).message}`, { cause: error });
    }
  }

  /**
   * What the page says, where nothing comes any more but this rest of it.
   *
   * @throws {SyntaxError} where there is a rest: both formats end each line, so it was cut
   */
  end(rest: string): Metric {
    if (rest !== "") {
      this.take(rest);
      throw new SyntaxError(`ends within line ${this.#number}`);
    }
    if (this.#form === "openmetrics" && !this.#hasEnded) throw new SyntaxError("ends without # EOF");
    const { name } = this.#selector;
    return {
      type: this.#types.get(name) ?? this.#types.get(baseOf(name)),
      count: this.#count,
      labels: this.#labels,
      isWanted: this.#isWanted,
      series: this.#series,
      created: this.#created,
      similar: this.#similar,
    };
  }

  #line(line: string): void {
    if (this.#hasEnded) throw new SyntaxError("stands behind the end of the page");
    if (line.startsWith("#")) this.#comment(line);
    else if (this.#form === "openmetrics" || line.trim() !== "") this.#sample(line);
  }

  #comment(line: string): void {
    if (this.#form === "openmetrics" && line === "# EOF") this.#hasEnded = true;
    const [, name, type] = /^#[ \t]+TYPE[ \t]+(\S+)[ \t]+(\S+)[ \t]*$/.exec(line) ?? [];
    if (name === undefined || type === undefined) return;
    const ours = this.#selector.name;
    if (name === ours || name === baseOf(ours)) this.#types.set(name, type);
  }

  #sample(line: string): void {
    const match = SAMPLE[this.#form].exec(line);
    if (match === null) throw new SyntaxError(`is of no metric: ${JSON.stringify(line.slice(0, 60))}`);
    const [, name = "", labelled = "{}", written = "", timestamp] = match;
    const value = number(written);
    const time = timestamp === undefined ? undefined : number(timestamp);
    if (name === this.#selector.name) {
      this.#ours(labelled, { value, timestamp: time });
    } else if (name === this.#createdName) {
      const [key, labels] = readLabels(labelled);
      if (this.#selector.takes(labels)) keep(this.#created, key, value);
    } else if (
      this.#similar.size < MOST_SIMILAR &&
      (/requests?_total$/.test(name) || isNear(name, this.#selector.name))
    ) {
      this.#similar.add(name);
    }
  }

  #ours(labelled: string, series: Series): void {
    const [key, labels] = readLabels(labelled);
    if (this.#series.has(key)) throw new SyntaxError("has a series that was there before");
    this.#count += 1;
    for (const label of labels.keys()) this.#labels.add(label);
    this.#isWanted ||= this.#selector.wants(labels);
    if (this.#selector.takes(labels)) keep(this.#series, key, series);
  }
}

function keep<T>(series: Map<string, T>, key: string, value: T): void {
  if (series.size >= MOST_SERIES)
    throw new SyntaxError(`has more than ${MOST_SERIES} series to add up: select fewer`);
  series.set(key, value);
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
