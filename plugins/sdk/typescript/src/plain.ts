/**
 * Turns what a plugin made into plain data that JSON and MessagePack can both carry, and what it threw
 * into a short text.
 *
 * Pure; it never lets a value through that would break a line or a map for its reader.
 */

/** As deep as the runner's reader follows (serde_json's limit is 128). */
const MOST_LEVELS = 100;

/** As much of an error's text as is kept of it. */
const MOST_ERROR_CHARACTERS = 500;

/** JSON's values, and integers of 64 bits. */
export type Plain = null | boolean | number | bigint | string | Plain[] | { [key: string]: Plain };

/**
 * A copy in plain data, by the rules of `JSON.stringify`: `toJSON` is called, functions and `undefined`
 * are left out, numbers that are none become null. Texts become well-formed Unicode, since half a
 * surrogate pair has no form in UTF-8 and is refused by strict readers. A bigint is kept where it fits
 * into 64 bits.
 *
 * @throws {TypeError} when it is nested too deeply, as what contains itself is
 */
export function plain(value: unknown): Plain {
  return convert(value, "", 0) ?? null;
}

function convert(value: unknown, key: string, level: number): Plain | undefined {
  if (level > MOST_LEVELS) throw new TypeError(`an answer is nested more than ${MOST_LEVELS} levels deep`);
  if (typeof value === "object" && value !== null && "toJSON" in value) {
    const { toJSON } = value;
    if (typeof toJSON === "function") return convert(toJSON.call(value, key), key, level + 1);
  }
  switch (typeof value) {
    case "string":
      return value.toWellFormed();
    case "number":
      return Number.isFinite(value) ? value : null;
    case "bigint":
      return integer(value);
    case "boolean":
      return value;
    case "object":
      return value === null ? null : container(value, level);
    default:
      return undefined;
  }
}

function container(value: object, level: number): Plain {
  if (Array.isArray(value)) {
    return Array.from(value, (item, at) => convert(item, String(at), level + 1) ?? null);
  }
  const copy: [string, Plain][] = [];
  for (const [key, item] of Object.entries(value)) {
    const converted = convert(item, key, level + 1);
    if (converted !== undefined) copy.push([key.toWellFormed(), converted]);
  }
  // Not by assignment, which for the key `__proto__` would do something else.
  return Object.fromEntries(copy);
}

function integer(value: bigint): bigint | number {
  if (BigInt.asIntN(64, value) !== value && BigInt.asUintN(64, value) !== value) {
    throw new TypeError("an answer has an integer of more than 64 bits");
  }
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Plain data as JSON. Integers that only a bigint can hold are written in full. */
export function toJson(value: Plain): string {
  switch (typeof value) {
    case "bigint":
      return value.toString();
    case "object":
      if (value === null) return "null";
      if (Array.isArray(value)) return `[${value.map(toJson).join(",")}]`;
      return `{${Object.entries(value)
        .map(([key, item]) => `${JSON.stringify(key)}:${toJson(item)}`)
        .join(",")}}`;
    default:
      return JSON.stringify(value);
  }
}

/** What was thrown, as a text that is never empty and of bounded length. */
export function errorText(thrown: unknown): string {
  let text = "";
  try {
    text = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
  } catch {
    // It cannot even be turned into a text, as an object without a prototype.
  }
  return bounded(text.trim() || "failed without saying why", MOST_ERROR_CHARACTERS);
}

/** The first characters of a text, none of them cut in two. */
export function bounded(text: string, most: number): string {
  // No character has more than two units, and an enormous text is not worth walking through.
  const characters = Array.from(text.slice(0, 2 * most + 1));
  return (characters.length > most ? characters.slice(0, most) : characters).join("").toWellFormed();
}
