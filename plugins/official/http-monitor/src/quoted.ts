/**
 * Fields between quotes as web servers write them into access logs, with what they escape.
 *
 * nginx writes `\x22` for a quote, Apache `\"`; both write other bytes as `\xHH`. Pure.
 */

/** A field, and where in the line it ends. */
export interface Field {
  readonly text: string;
  /** The index behind the closing quote. */
  readonly end: number;
}

/** The field whose opening quote stands at `start`; undefined where it has no end. */
export function quoted(line: string, start: number): Field | undefined {
  let at = start + 1;
  let isEscaped = false;
  while (at < line.length) {
    const code = line.charCodeAt(at);
    if (code === QUOTE) {
      const raw = line.slice(start + 1, at);
      return { text: isEscaped ? unescaped(raw) : raw, end: at + 1 };
    }
    if (code === BACKSLASH) {
      isEscaped = true;
      at += 1;
    }
    at += 1;
  }
  return undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

const NAMED: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", v: "\v", b: "\b", f: "\f" };

/** Without the escapes: bytes that were written as `\xHH` are read as UTF-8, together with their neighbours. */
function unescaped(raw: string): string {
  return raw.replace(/(?:\\x[0-9A-Fa-f]{2})+|\\(.)/gs, (escapes, named: string | undefined) => {
    if (named !== undefined) return NAMED[named] ?? named;
    return Buffer.from(escapes.replaceAll("\\x", ""), "hex").toString("utf8");
  });
}
