/**
 * Follows an access log: the requests of each check, through rotation by rename and by copy.
 *
 * It begins at the log's end and reads only what is new. What may have been missed is said as a doubt; what
 * cannot be read is an error, and after an error it begins anew.
 */

import type { Ignored } from "./ignored.js";
import { type Budget, LogFile } from "./log-file.js";
import type { Progress } from "./rate.js";
import { type JsonFields, readLine } from "./request.js";
import { type Sibling, siblings } from "./siblings.js";

/** File times are those of the kernel's last tick, and may be this much behind the clock. */
const TICK_MS = 20;

/** What one check has seen. */
class Count {
  requests = 0;
  ignored = 0;
  doubt: string | undefined;
}

export class AccessLog {
  readonly name: string;
  readonly #path: string;
  readonly #ignored: Ignored;
  readonly #fields: JsonFields;
  #current: LogFile | undefined;
  /** The file that was renamed last: some servers write into it for a while. */
  #renamed: LogFile | undefined;
  #lastLookMs = 0;
  /** When each file beside the log was last written to, as the last look saw it. */
  #seen: ReadonlyMap<string, number> = new Map();

  constructor(path: string, ignored: Ignored, fields: JsonFields) {
    this.name = path;
    this.#path = path;
    this.#ignored = ignored;
    this.#fields = fields;
  }

  /**
   * What has been logged since the last time; nothing the first time.
   *
   * @throws {Error} that says why the log cannot be read, and what to do
   */
  async advance(budget: Budget): Promise<Progress> {
    try {
      return await this.#advance(budget);
    } catch (error) {
      await this.close();
      throw new Error(`the access log ${this.#path} ${why(error)}`, { cause: error });
    }
  }

  /** Lets the files go. The next time is a first time. */
  async close(): Promise<void> {
    const files = [this.#current, this.#renamed];
    this.#current = undefined;
    this.#renamed = undefined;
    for (const file of files) await file?.close();
  }

  async #advance(budget: Budget): Promise<Progress> {
    const lookMs = Date.now() - TICK_MS;
    const count = new Count();
    const file = await LogFile.open(this.#path);
    const known = this.#current;
    let copy: string | undefined;
    if (known === undefined) {
      this.#current = file;
      await file.skipToEnd();
    } else if (known.identity === file.identity) {
      await file.close();
      if (await known.wasCut()) copy = await this.#afterCut(known, budget, count);
      await this.#read(known, budget, count);
    } else {
      this.#current = file;
      await this.#afterRename(known, file, budget, count);
    }
    await this.#readRenamed(budget, count);
    await this.#doubtOthers(known === undefined, copy, count);
    this.#lastLookMs = lookMs;
    return count;
  }

  /** Reads the rest of what the log was before, and what there is of the new one. */
  async #afterRename(known: LogFile, file: LogFile, budget: Budget, count: Count): Promise<void> {
    await this.#readRenamed(budget, count);
    await this.#renamed?.close();
    this.#renamed = known;
    await this.#read(known, budget, count);
    if (await file.beginsLike(known)) {
      count.doubt ??= "was replaced by a file that begins as it did, so lines may have gone";
      await file.skipToEnd();
    }
    await this.#read(file, budget, count);
  }

  async #readRenamed(budget: Budget, count: Count): Promise<void> {
    const renamed = this.#renamed;
    if (renamed === undefined) return;
    const isDeleted = await renamed.isDeleted();
    await this.#read(renamed, budget, count);
    // As long as it is held open its room on the disk is taken.
    if (!isDeleted) return;
    this.#renamed = undefined;
    await renamed.close();
  }

  /**
   * Reads the rest of what the log was before it was cut, where rotation has left a copy of it, and says which
   * file that is.
   */
  async #afterCut(known: LogFile, budget: Budget, count: Count): Promise<string | undefined> {
    const before = known.offset;
    const isShorter = await known.beginsLike(known);
    const copy = await this.#copyOf(known);
    try {
      await copy?.skipWith(known);
      if (copy !== undefined) await this.#read(copy, budget, count);
    } finally {
      await copy?.close();
    }
    if (copy === undefined) {
      const size = await known.size();
      count.doubt ??= `was cut from ${before} to ${size} bytes and no rotated copy is beside it, so lines may have gone`;
    }
    if (isShorter) await known.skipToEnd();
    else await known.rewind();
    return copy?.identity;
  }

  async #copyOf(known: LogFile): Promise<LogFile | undefined> {
    for (const sibling of await siblings(this.#path)) {
      // A copy that was there before cannot be what this rotation made.
      if (sibling.changedMs < this.#lastLookMs) continue;
      const file = await LogFile.open(sibling.path);
      try {
        if (await file.isCopyOf(known)) return file;
      } catch (error) {
        await file.close();
        throw error;
      }
      await file.close();
    }
    return undefined;
  }

  /** Files beside the log that were written to since the last look, and are not being read. */
  async #doubtOthers(isFirst: boolean, copy: string | undefined, count: Count): Promise<void> {
    const read = [this.#current?.identity, this.#renamed?.identity, copy];
    const found = await siblings(this.#path);
    const isOther = ({ identity, writtenMs }: Sibling): boolean =>
      !read.includes(identity) && writtenMs > (this.#seen.get(identity) ?? this.#lastLookMs);
    const other = isFirst ? undefined : found.find(isOther);
    this.#seen = new Map(found.map(({ identity, writtenMs }) => [identity, writtenMs]));
    if (other === undefined) return;
    count.doubt ??= `was rotated more than once since the last look, or its server still writes to ${other.path}: let it reopen its logs after rotation`;
  }

  async #read(file: LogFile, budget: Budget, count: Count): Promise<void> {
    let strange: string | undefined;
    const { isWhole, tooLong } = await file.readOn(budget, (line) => {
      const request = readLine(line, this.#fields);
      if (request === "other") return;
      if (request === undefined) strange ??= line;
      if (request !== undefined && this.#ignored.has(request)) count.ignored += 1;
      else count.requests += 1;
    });
    count.requests += tooLong;
    if (strange !== undefined) {
      count.doubt ??= `has a line that is neither common or combined format nor JSON (of nginx with escape=json): ${excerpt(strange)}`;
    }
    if (tooLong > 0) count.doubt ??= "has a line longer than any request";
    if (!isWhole) count.doubt ??= "could not be read to its end in one check";
  }
}

function excerpt(line: string): string {
  return JSON.stringify(line.length > 80 ? `${line.slice(0, 80)}…` : line);
}

function why(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case "ENOENT":
      return "is not there: start the server that writes it, or correct access_log";
    case "EACCES":
    case "EPERM":
      return `cannot be read (${code}): grant its folder in permissions.read, and let the plugin's user read it`;
    case undefined:
      return message;
    default:
      return `cannot be read: ${message}`;
  }
}
