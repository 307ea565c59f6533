/**
 * Follows a counter of requests on a metrics page, or on nginx' stub_status page.
 *
 * What its own looks add to the counter is taken off again. After an error it begins anew.
 */

import { type Counted, increase, select } from "./counter.js";
import { MetricReader, NO_LABELS } from "./exposition.js";
import { type Access, fetchPage } from "./page.js";
import type { Progress } from "./rate.js";
import type { Selector } from "./selector.js";

/** What the exporter of nginx calls the third number of stub_status. */
export const NGINX_REQUESTS = "nginx_http_requests_total";

/** It has four short lines. */
const LONGEST_STUB = 1_024;

const STUB_STATUS = /^Active connections: \d+ \nserver accepts handled requests\n \d+ \d+ (\d+) \n/;

export class MetricsPage {
  readonly name: string;
  readonly #url: URL;
  readonly #selector: Selector;
  readonly #ownRequests: number | undefined;
  readonly #access: Access;
  #before: Counted | undefined;

  /** `ownRequests` is what one look adds to the counter; undefined for what is usual. */
  constructor(url: URL, selector: Selector, ownRequests: number | undefined, access: Access) {
    // A query may hold a secret.
    this.name = `${url.origin}${url.pathname}`;
    this.#url = url;
    this.#selector = selector;
    this.#ownRequests = ownRequests;
    this.#access = access;
  }

  /**
   * What was counted since the last time; nothing the first time.
   *
   * @throws {Error} that says why the page cannot be read, and what to do
   */
  async advance(signal: AbortSignal): Promise<Progress> {
    const before = this.#before;
    this.#before = undefined;
    try {
      const readerOf = (contentType: string): PageReader => new PageReader(this.#selector, contentType);
      const { reader, rest } = await fetchPage(this.#url, this.#access, signal, readerOf);
      const now = reader.end(rest);
      this.#before = now;
      if (before === undefined) return { requests: 0, ignored: 0 };
      const found = increase(before, now, this.#selector.name);
      const own = Math.min(this.#ownRequests ?? usualOwn(now, this.#selector), found.requests);
      return { ...found, requests: found.requests - own, ignored: own };
    } catch (error) {
      const late = "did not answer in time: it hangs, or something in between drops packets";
      const said = signal.aborted ? late : why(error);
      throw new Error(`the metrics page ${this.name} ${said}`, { cause: error });
    }
  }
}

/** Reads a page of metrics, or one of stub_status: its first line tells. */
class PageReader {
  readonly #selector: Selector;
  readonly #metrics: MetricReader;
  #stub: string | undefined;
  #isFirst = true;
  #isDown = false;

  constructor(selector: Selector, contentType: string) {
    this.#selector = selector;
    const isOpenMetrics = /^application\/openmetrics-text\b/i.test(contentType);
    this.#metrics = new MetricReader(selector, isOpenMetrics ? "openmetrics" : "text");
  }

  take(line: string): void {
    if (this.#isFirst && line.startsWith("Active connections: ")) this.#stub = "";
    this.#isFirst = false;
    if (this.#stub === undefined) this.#metrics.take(line);
    else if (this.#stub.length < LONGEST_STUB) this.#stub += `${line}\n`;
    if (line === "nginx_up 0") this.#isDown = true;
  }

  end(rest: string): Counted {
    if (this.#stub !== undefined) return this.#countedBy(this.#stub);
    const metric = this.#metrics.end(rest);
    if (this.#selector.name === NGINX_REQUESTS && metric.count === 0 && this.#isDown) {
      throw new Error("is that of an exporter that does not reach nginx (nginx_up 0)");
    }
    return select(metric, this.#selector);
  }

  #countedBy(stub: string): Counted {
    const value = STUB_STATUS.exec(stub)?.[1];
    if (value === undefined)
      throw new SyntaxError("it begins like nginx' stub_status and goes on as something else");
    if (this.#selector.toString() !== NGINX_REQUESTS) {
      throw new Error(`is nginx' stub_status, which counts nothing but ${NGINX_REQUESTS}: leave metric out`);
    }
    return {
      series: new Map([[NO_LABELS, { value: Number(value), timestamp: undefined }]]),
      created: new Map(),
    };
  }
}

/**
 * nginx' own counter has no labels, and counts the request for its stub_status, ours or the exporter's.
 * Others count what they are asked for under a label, or not at all.
 */
function usualOwn({ series }: Counted, { name }: Selector): number {
  return name === NGINX_REQUESTS && series.size === 1 && series.has(NO_LABELS) ? 1 : 0;
}

function why(error: unknown): string {
  if (error instanceof SyntaxError) return `is no page of metrics: ${error.message}`;
  const { code, message } = error as NodeJS.ErrnoException;
  if (/CERT|SIGNED|ISSUER/.test(code ?? "")) {
    return `is not trusted (${code}): name the certificate of who vouches for it in metrics_ca_file`;
  }
  switch (code) {
    case undefined:
      return message;
    case "ECONNREFUSED":
      return "cannot be reached (ECONNREFUSED): start its server, or correct metrics_url";
    case "EACCES":
    case "EPERM":
      return `cannot be reached (${code}): grant its port in permissions.tcp`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `cannot be found (${code}): write an address into metrics_url, or grant permissions.udp to look up names`;
    default:
      // What the parser of HTTP finds has a code of this kind.
      if (code.startsWith("HPE_"))
        return `is served by what does not speak HTTP (${code}): correct metrics_url`;
      return `cannot be reached (${code}): look whether its server hangs up, or correct metrics_url`;
  }
}
