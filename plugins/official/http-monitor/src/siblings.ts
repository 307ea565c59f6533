/**
 * The files beside a log that are earlier parts of it: what rotation renames, copies and dates.
 *
 * It only looks; what is compressed is left out, since what was in it was read before or is lost.
 */

import { opendir, stat } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";

export interface Sibling {
  readonly path: string;
  readonly identity: string;
  /** When it was last written to, and when last changed in any way; milliseconds since 1970. */
  readonly writtenMs: number;
  readonly changedMs: number;
}

/** Entries of a folder that are looked at; a folder of logs has some hundred. */
const MOST_ENTRIES = 10_000;

const COMPRESSED = /\.(?:gz|bz2|xz|zst|lz4|Z)$/;

/**
 * As logrotate and Caddy name them: `access.log.1`, `access.log-20261126`, `access-20261126.log`,
 * `access-2026-11-26T13-43-40.123.log`, and `access.1.log`.
 *
 * @throws an error of the file system where the folder cannot be listed
 */
export async function siblings(path: string): Promise<Sibling[]> {
  const folder = dirname(path);
  const name = basename(path);
  const stem = basename(path, extname(path));
  const found: Sibling[] = [];
  let seen = 0;
  for await (const entry of await opendir(folder)) {
    seen += 1;
    if (seen > MOST_ENTRIES) throw new Error(`lies in a folder of more than ${MOST_ENTRIES} files`);
    if (entry.name === name || COMPRESSED.test(entry.name)) continue;
    if (!isDated(entry.name, name) && !isDated(entry.name, stem)) continue;
    const about = await stat(join(folder, entry.name), { bigint: true }).catch(() => undefined);
    // One that has gone meanwhile was renamed or removed in an order that the next look shows.
    if (about?.isFile() !== true) continue;
    found.push({
      path: join(folder, entry.name),
      identity: `${about.dev}:${about.ino}`,
      writtenMs: Number(about.mtimeNs) / 1e6,
      changedMs: Number(about.ctimeNs) / 1e6,
    });
  }
  return found;
}

function isDated(entry: string, begin: string): boolean {
  return entry.startsWith(begin) && /^[.-]\d/.test(entry.slice(begin.length));
}
