/**
 * Bodies on NATS: maps without an envelope, as MessagePack or as JSON.
 *
 * An answer has the form of its request, and never an integer that lost digits on the way.
 */

import { decode, encode } from "@msgpack/msgpack";
import { BadRequest } from "./dispatch.js";
import { errorText, type Plain, toJson } from "./plain.js";

const UTF_8 = new TextDecoder("utf-8", { fatal: true });

/** How a body is written. */
export type Form = "json" | "messagepack";

/** The form of a body: JSON is known by its first byte, which begins no map in MessagePack. */
export function formOf(body: Uint8Array): Form {
  return body[0] === 0x7b ? "json" : "messagepack";
}

/**
 * Reads a body. Integers are numbers, and bigints where a number cannot hold them.
 *
 * @throws {BadRequest} when it is no map
 */
export function read(body: Uint8Array): Record<string, unknown> {
  if (body.length === 0) return {};
  let value: unknown;
  try {
    value =
      formOf(body) === "json" ? JSON.parse(UTF_8.decode(body)) : narrow(decode(body, { useBigInt64: true }));
  } catch (error) {
    throw new BadRequest(`the body cannot be read: ${errorText(error)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new BadRequest("the body is no map");
  }
  return value as Record<string, unknown>;
}

/** Writes a body. */
export function write(form: Form, value: Plain): Uint8Array {
  return form === "json" ? Buffer.from(toJson(value)) : encode(widen(value), { useBigInt64: true });
}

// With `useBigInt64` every integer that was sent in eight bytes comes as a bigint, however small it is.
function narrow(value: unknown): unknown {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (Array.isArray(value)) return value.map(narrow);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
    return value;
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, narrow(item)]));
}

// And every number beyond 32 bits would be written as a float, which readers refuse for an integer.
function widen(value: Plain): Plain {
  if (typeof value === "number") {
    const isWide = Number.isSafeInteger(value) && (value > 0xffff_ffff || value < -0x8000_0000);
    return isWide ? BigInt(value) : value;
  }
  if (Array.isArray(value)) return value.map(widen);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, widen(item)]));
}
