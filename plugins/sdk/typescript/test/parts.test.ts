/** The parts that know no process: lines, bodies, plain data, and what makes a plugin one. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "@msgpack/msgpack";
import { busy, failed, handled, idle, notHandled } from "cloudsnooze-plugin";
import { formOf, read, write } from "#internal/bodies";
import { type Line, Splitter } from "#internal/lines";
import { errorText, plain } from "#internal/plain";
import { type Plugin, validate } from "#internal/plugin";

function text(line: Line): string | undefined {
  return "bytes" in line ? Buffer.from(line.bytes).toString() : undefined;
}

test("lines are the same however the bytes are cut", () => {
  const bytes = Buffer.from("ab\n\nüc\ntoo long\nlast");
  const expected = ["ab", "", "üc", undefined, "last"];
  for (let size = 1; size <= bytes.length; size += 1) {
    const splitter = new Splitter(4);
    const lines: Line[] = [];
    for (let at = 0; at < bytes.length; at += size)
      lines.push(...splitter.push(bytes.subarray(at, at + size)));
    lines.push(...splitter.end());
    assert.deepEqual(lines.map(text), expected, `in pieces of ${size}`);
  }
});

test("integers of 64 bits come and go unchanged in MessagePack", () => {
  const whole = { small: 5, wide: 1650000000000, most: 2n ** 64n - 1n, least: -(2n ** 63n), half: 0.5 };
  assert.deepEqual(read(encode(whole, { useBigInt64: true })), whole);
  const written = write("messagepack", plain(whole));
  const back = { ...whole, wide: 1650000000000n };
  assert.deepEqual(decode(written, { useBigInt64: true }), back);
  // A number that JavaScript has is an integer on the wire too, and no float.
  assert.equal(Buffer.from(write("messagepack", { t: 2 ** 40 })).toString("hex"), "81a174cf0000010000000000");
});

test("a body is JSON when it begins with a brace, and what is no map is refused", () => {
  assert.equal(formOf(Buffer.from("{}")), "json");
  assert.equal(formOf(encode({})), "messagepack");
  assert.deepEqual(read(new Uint8Array()), {});
  const wrong = [
    Buffer.from("{"),
    Buffer.from([0xc1]),
    encode([1]),
    encode(null),
    Buffer.alloc(1 << 20, 0x91),
  ];
  for (const body of wrong) {
    assert.throws(() => read(body), /body/);
  }
});

test("a key named __proto__ stays a key", () => {
  const value = JSON.parse('{"__proto__":{"x":1}}');
  assert.deepEqual(Object.keys(plain(value) as object), ["__proto__"]);
});

test("an error's text is never empty", () => {
  for (const thrown of [undefined, null, "", " ", new Error(""), Object.create(null), Symbol("s")]) {
    assert.ok(errorText(thrown).length > 0);
  }
});

test("votes and outcomes cannot be changed or made of wrong parts", () => {
  const vote = busy("in use");
  assert.throws(() => Object.assign(vote, { isIdle: true }), TypeError);
  assert.throws(() => Object.assign(vote, { reason: "" }), TypeError);
  for (const details of [null, [], "x"]) {
    assert.throws(() => idle("", details as unknown as Record<string, unknown>), /details/);
  }
  const outcomes = [handled(), failed("no"), notHandled()];
  assert.deepEqual(
    outcomes.map((outcome) => [outcome.handled, outcome.succeeded]),
    [
      [true, true],
      [true, false],
      [false, true],
    ],
  );
});

test("what is no plugin is refused with what is wrong", () => {
  const checkIdle: NonNullable<Plugin["checkIdle"]> = () => busy("");
  const wrong: [object, RegExp][] = [
    [{ checkIdle }, /info/],
    [{ info: {}, checkIdle }, /name/],
    [{ info: { name: "a.b" }, checkIdle }, /name "a\.b"/],
    [{ info: { name: "cpu" }, checkIdle }, /built-in/],
    [{ info: { name: "a", version: "1" }, checkIdle }, /version "1"/],
    [{ info: { name: "a" } }, /neither checkIdle nor handleEvent/],
  ];
  for (const [plugin, said] of wrong) assert.throws(() => validate(plugin as Plugin), said);
  validate({ info: { name: "a-1", version: "1.0.0-rc.1+b" }, checkIdle });
});
