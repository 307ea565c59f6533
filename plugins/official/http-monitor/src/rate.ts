/**
 * Requests a second over a window that ends now, out of what each check has counted.
 *
 * Pure, with the time handed in; it never gives a rate of less than a second, nor one without the doubts
 * that came with its numbers.
 */

/** What one check has found since the check before. */
export interface Progress {
  /** Requests that count. */
  readonly requests: number;
  /** Requests that were seen and passed over, as configured. */
  readonly ignored: number;
  /** Why there may have been more requests than were seen. */
  readonly doubt?: string | undefined;
}

export interface Rate {
  readonly requests: number;
  readonly ignored: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** Why the rate is a lower bound and nothing more. */
  readonly doubt: string | undefined;
}

/** The totals as they were at a check. */
interface Mark {
  readonly atMs: number;
  readonly requests: number;
  readonly ignored: number;
  readonly doubts: number;
}

/** Of less, a single request would be a rate of hundreds. */
const SHORTEST_MS = 1_000;

/** Marks that one window keeps at most; checks that follow closer than this divides it share one. */
const MARKS = 64;

/** Checks come a little early and a little late, and a window from one to the next is not to span two. */
const NEARLY = 0.9;

/** The checks of one source. */
export class Window {
  readonly #spanMs: number;
  /** A mark this old is where the window begins. */
  readonly #oldMs: number;
  /** In the order of time; the first is as old as the window or the oldest there is. */
  #marks: Mark[] = [];
  #lastDoubt: string | undefined;

  constructor(seconds: number) {
    this.#spanMs = seconds * 1_000;
    this.#oldMs = Math.max(this.#spanMs * NEARLY, SHORTEST_MS);
  }

  /** Takes down what a check found. The first one begins the count: what it found lies before. */
  add(atMs: number, found: Progress): void {
    const last = this.#marks.at(-1) ?? { atMs, requests: 0, ignored: 0, doubts: 0 };
    if (found.doubt !== undefined) this.#lastDoubt = found.doubt;
    const mark: Mark = {
      atMs,
      requests: last.requests + found.requests,
      ignored: last.ignored + found.ignored,
      doubts: last.doubts + (found.doubt === undefined ? 0 : 1),
    };
    const before = this.#marks.at(-2);
    if (before !== undefined && last.atMs - before.atMs < this.#spanMs / MARKS) this.#marks.pop();
    this.#marks.push(mark);
    // Of the old marks the youngest.
    const begins = this.#marks.findLastIndex((each) => each.atMs <= atMs - this.#oldMs);
    if (begins > 0) this.#marks.splice(0, begins);
  }

  /** Begins anew, as if nothing had been counted. */
  forget(): void {
    this.#marks = [];
  }

  /** The rate at the last check; undefined where there is less than a second to tell it from. */
  rate(): Rate | undefined {
    const first = this.#marks[0];
    const last = this.#marks.at(-1);
    if (first === undefined || last === undefined || last.atMs - first.atMs < SHORTEST_MS) return undefined;
    const seconds = (last.atMs - first.atMs) / 1_000;
    const requests = last.requests - first.requests;
    return {
      requests,
      ignored: last.ignored - first.ignored,
      seconds,
      perSecond: requests / seconds,
      doubt: last.doubts > first.doubts ? this.#lastDoubt : undefined,
    };
  }
}
