/**
 * One open log file: the lines behind the place up to which it was read, and whether what lies before that
 * place is still the same.
 *
 * It reads forward and never twice, never more than a budget, and opens nothing but regular files.
 */

import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** What one check may read and until when. */
export interface Budget {
  bytes: number;
  /** On the clock of `performance.now`. */
  readonly untilMs: number;
}

/** What became of reading on. */
export interface Read {
  /** Whether the budget was enough. */
  readonly isWhole: boolean;
  /** Lines that were longer than any request is, and were passed over. */
  readonly tooLong: number;
}

/** Servers refuse requests far shorter than this (nginx 8 KiB a header line, Apache the same). */
const LONGEST_LINE = 256 * 1024;

/** A piece that is read at once; the longest line fits in. */
const CHUNK = 2 * LONGEST_LINE;

/** As much of the beginning, and of what was read last, as tells one log from another: times stand in it. */
const PRINT = 512;

const NEWLINE = 0x0a;

export class LogFile {
  readonly #handle: FileHandle;
  /** Device and inode. */
  readonly identity: string;
  /** Up to where lines were taken; always the beginning of one. */
  #offset = 0;
  #head: Buffer = Buffer.alloc(0);
  #tail: Buffer = Buffer.alloc(0);
  #isAmidLongLine = false;

  private constructor(handle: FileHandle, identity: string) {
    this.#handle = handle;
    this.identity = identity;
  }

  /**
   * Opens a file at its beginning.
   *
   * @throws an error of the file system, or one that says that it is no regular file
   */
  static async open(path: string): Promise<LogFile> {
    // A pipe without a writer would keep who opens it waiting.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      // Inodes of 64 bits do not fit into a number.
      const about = await handle.stat({ bigint: true });
      if (!about.isFile())
        throw new Error("is no regular file; name the file that the server writes its log to");
      return new LogFile(handle, `${about.dev}:${about.ino}`);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  get offset(): number {
    return this.#offset;
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  /** Whether no name leads to it any more. */
  async isDeleted(): Promise<boolean> {
    return (await this.#handle.stat()).nlink === 0;
  }

  /** Passes over all whole lines that there are. */
  async skipToEnd(): Promise<void> {
    const size = await this.size();
    const last = await this.#bytes(Math.max(0, size - LONGEST_LINE), size);
    const newline = last.lastIndexOf(NEWLINE);
    this.#offset = size - last.length + newline + 1;
    this.#isAmidLongLine = newline === -1 && this.#offset > 0;
    await this.#remember();
  }

  /** Passes over what another file, of which this is a copy, was read up to. */
  async skipWith(other: LogFile): Promise<void> {
    this.#offset = Math.min(other.#offset, await this.size());
    await this.#remember();
  }

  /** Goes back to the beginning, for what is written there now. */
  async rewind(): Promise<void> {
    this.#offset = 0;
    this.#isAmidLongLine = false;
    await this.#remember();
  }

  /** Takes the lines that have been written since. */
  async readOn(budget: Budget, take: (line: string) => void): Promise<Read> {
    let tooLong = 0;
    let isWhole = true;
    for (;;) {
      if (budget.bytes <= 0 || performance.now() >= budget.untilMs) {
        isWhole = (await this.size()) <= this.#offset;
        break;
      }
      const chunk = await this.#bytes(this.#offset, this.#offset + CHUNK);
      budget.bytes -= chunk.length;
      let from = 0;
      if (this.#isAmidLongLine) {
        from = chunk.indexOf(NEWLINE) + 1;
        if (from > 0) this.#isAmidLongLine = false;
        else this.#offset += chunk.length;
      }
      const to = this.#isAmidLongLine ? 0 : chunk.lastIndexOf(NEWLINE) + 1;
      if (to > from) for (const line of lines(chunk.subarray(from, to))) take(line);
      this.#offset += to;
      if (to === 0 && !this.#isAmidLongLine && chunk.length > LONGEST_LINE) {
        tooLong += 1;
        this.#isAmidLongLine = true;
        continue;
      }
      if (chunk.length < CHUNK) break;
    }
    await this.#remember();
    return { isWhole, tooLong };
  }

  /** Whether what was read is no longer there as it was: the file was cut, or written anew. */
  async wasCut(): Promise<boolean> {
    if ((await this.size()) < this.#offset) return true;
    return !(await this.#holds(this.#tail, this.#offset - this.#tail.length));
  }

  /** Whether this file begins as another one did when that was read. An empty one begins like nothing. */
  async beginsLike(other: LogFile): Promise<boolean> {
    return other.#head.length > 0 && (await this.#holds(other.#head, 0));
  }

  /** Whether this file holds what another one held, up to where that was read or where this one ends. */
  async isCopyOf(other: LogFile): Promise<boolean> {
    if (!(await this.beginsLike(other))) return false;
    const place = other.#offset - other.#tail.length;
    return (await this.size()) < other.#offset || (await this.#holds(other.#tail, place));
  }

  async #holds(print: Buffer, place: number): Promise<boolean> {
    return print.equals(await this.#bytes(place, place + print.length));
  }

  async #remember(): Promise<void> {
    this.#head = await this.#bytes(0, Math.min(PRINT, this.#offset));
    this.#tail = await this.#bytes(Math.max(0, this.#offset - PRINT), this.#offset);
  }

  /** The bytes between two places, or as many as there are. */
  async #bytes(from: number, to: number): Promise<Buffer> {
    const buffer = Buffer.alloc(to - from);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await this.#handle.read(buffer, length, buffer.length - length, from + length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  }
}

function* lines(bytes: Buffer): Generator<string> {
  const text = bytes.toString("utf8");
  let from = 0;
  for (let to = text.indexOf("\n"); to !== -1; to = text.indexOf("\n", from)) {
    yield text.slice(from, text[to - 1] === "\r" ? to - 1 : to);
    from = to + 1;
  }
}
