/**
 * Lines out of a stream of bytes, none longer than a limit.
 *
 * It never holds more than one line's limit and what the stream handed over at once, however long a line
 * is and however fast lines come.
 */

import type { Readable } from "node:stream";

/** A line without its end, or the news that one was too long and was passed over. */
export type Line = { readonly bytes: Uint8Array } | { readonly tooLong: true };

const NEWLINE = 0x0a;

/** Cuts bytes into lines. */
export class Splitter {
  readonly #most: number;
  #parts: Uint8Array[] = [];
  #length = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** The lines that end in this chunk. */
  push(chunk: Uint8Array): Line[] {
    const lines: Line[] = [];
    let from = 0;
    for (let to = chunk.indexOf(NEWLINE); to !== -1; to = chunk.indexOf(NEWLINE, from)) {
      this.#add(chunk.subarray(from, to));
      lines.push(this.#take());
      from = to + 1;
    }
    this.#add(chunk.subarray(from));
    return lines;
  }

  /** What there is of a line that nothing more comes of. */
  end(): Line[] {
    return this.#length > 0 ? [this.#take()] : [];
  }

  #add(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length > this.#most) this.#parts = [];
    else if (part.length > 0) this.#parts.push(part);
  }

  #take(): Line {
    const line: Line = this.#length > this.#most ? { tooLong: true } : { bytes: Buffer.concat(this.#parts) };
    this.#parts = [];
    this.#length = 0;
    return line;
  }
}

/** Lines that may wait before no more is read. Who keeps to the protocol has one under way at most. */
const MOST_WAITING = 16;

/** The lines of a stream, one after the other. */
export class LineReader {
  readonly #input: Readable;
  readonly #splitter: Splitter;
  readonly #waiting: Line[] = [];
  #hasEnded = false;
  #wake: (() => void) | undefined;

  /** Resolves when the stream has ended, even while nobody asks for lines. */
  readonly ended: Promise<void>;

  constructor(input: Readable, most: number) {
    this.#input = input;
    this.#splitter = new Splitter(most);
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        if (this.#hasEnded) return;
        this.#hasEnded = true;
        this.#take(this.#splitter.end());
        resolve();
      };
      // A stream that fails has ended as well: nobody can ask anything any more.
      input.once("end", end).once("close", end).once("error", end);
    });
    input.on("data", (chunk: Uint8Array) => {
      if (!this.#hasEnded) this.#take(this.#splitter.push(chunk));
    });
  }

  /** The next line; undefined when there is none any more. One caller at a time. */
  async next(): Promise<Line | undefined> {
    while (this.#waiting.length === 0 && !this.#hasEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const line = this.#waiting.shift();
    if (this.#waiting.length < MOST_WAITING && this.#input.isPaused()) this.#input.resume();
    return line;
  }

  /** Takes no more, and forgets what waits. */
  close(): void {
    this.#hasEnded = true;
    this.#waiting.length = 0;
    this.#wake?.();
  }

  #take(lines: Line[]): void {
    this.#waiting.push(...lines);
    if (this.#waiting.length >= MOST_WAITING) this.#input.pause();
    this.#wake?.();
  }
}
