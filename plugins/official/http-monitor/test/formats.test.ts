/** The pure readers of lines, selectors and pages, with the texts of their specifications. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Form } from "../src/exposition.js";
import { readLine } from "../src/request.js";
import { Selector } from "../src/selector.js";
import { read } from "./reading.js";

const FIELDS = { path: "", agent: "", address: "" };

const values = (page: string, name: string, form: Form = "text"): unknown[] =>
  [...read(page, name, form).series].map(([key, { value, timestamp }]) => [
    Object.fromEntries(JSON.parse(key)),
    value,
    timestamp,
  ]);

test("common, combined and Apache's vhost format are read, whatever stands in a field", () => {
  const time = "[26/Nov/2026:13:00:00 +0000]";
  const lines: [string, string, string, string][] = [
    [`1.2.3.4 - - ${time} "GET /a HTTP/1.1" 200 5`, "/a", "", "1.2.3.4"],
    [`::1 - - ${time} "GET /a?b#c HTTP/2.0" 304 - "-" "curl/8"`, "/a", "curl/8", "::1"],
    [`1.2.3.4 - a b [c] ${time} "GET / HTTP/1.1" 200 5 "-" "-"`, "/", "", "1.2.3.4"],
    [`h.example:443 1.2.3.4 - - ${time} "GET / HTTP/1.1" 200 5 "-" "x"`, "/", "x", "1.2.3.4"],
    [`1.2.3.4 - - ${time} "GET http://h/a?b HTTP/1.1" 200 5 "-" "x" "9.9.9.9" 0.001`, "/a", "x", "1.2.3.4"],
    [`1.2.3.4 - - ${time} "GET /\\x22\\xC3\\xBC HTTP/1.1" 200 5 "-" "\\x5C"`, '/"ü', "\\", "1.2.3.4"],
    [`1.2.3.4 - u\\" ${time} "GET /\\"a HTTP/1.1" 200 5 "\\"" "\\\\"`, '/"a', "\\", "1.2.3.4"],
    [`1.2.3.4 - - ${time} "" 400 0 "-" "-"`, "", "", "1.2.3.4"],
    [`1.2.3.4 - - ${time} "-" 408 - "-" "-"`, "", "", "1.2.3.4"],
  ];
  for (const [line, path, agent, address] of lines) {
    assert.deepEqual(readLine(line, FIELDS), { path, agent, address }, line);
  }
});

test("a line that is none of a request is told apart from one", () => {
  const strange = [
    "",
    "nonsense",
    "{",
    "{}",
    '{"level":"info","message":"tick"}',
    '{"a":"\\x22"}',
    "[1]",
    '1.2.3.4 - - [26/Nov/2026:13:00:00 +0000] "GET / HTTP/1.1" 200',
    '1.2.3.4 - - [26/Nov/2026:13:00:00 +0000] "GET / HTTP/1.1',
    '1.2.3.4 - - [26/Nov/2026:13:00:00 +0000] "GET / HTTP/1.1" OK 5',
    '[26/Nov/2026:13:00:00 +0000] "GET / HTTP/1.1" 200 5',
    '1.2.3.4 [26/Nov/2026:13:00:00 +0000] "GET / HTTP/1.1" 200 5',
  ];
  for (const line of strange) assert.equal(readLine(line, FIELDS), undefined, line);
  const other = '{"level":"warn","ts":1.5,"logger":"tls","msg":"stapling OCSP","request":{"uri":"/"}}';
  assert.equal(readLine(other, FIELDS), "other");
});

test("fields of JSON are found by their usual names, and by configured ones with dots", () => {
  const line = JSON.stringify({
    request: "GET /a?b HTTP/1.1",
    http_user_agent: ["x", "y"],
    remote_addr: "::1",
  });
  assert.deepEqual(readLine(line, FIELDS), { path: "/a", agent: "x", address: "::1" });
  const own = JSON.stringify({ req: { url: "/own", "user.agent": "z" }, url: "/usual" });
  const fields = { path: "req.url", agent: "req.agent", address: "" };
  assert.deepEqual(readLine(own, fields), { path: "/own", agent: "", address: "" });
  const hostile = '{"__proto__":{"uri":"/x"},"constructor":1,"uri":"/y"}';
  assert.deepEqual(readLine(hostile, FIELDS), { path: "/y", agent: "", address: "" });
});

test("the text format is read as its documentation has it", () => {
  const page = [
    "# HELP http_requests_total The total number of HTTP requests.",
    "# TYPE http_requests_total counter",
    'http_requests_total{method="post",code="200"} 1027 1395066363000',
    'http_requests_total{method="post",code="400"}    3 1395066363000',
    "",
    "# Escaping in label values:",
    'msdos_file_access_time_seconds{path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find file:\\n\\"FILE.TXT\\""} 1.458255915e9',
    "# Minimalistic line:",
    "metric_without_timestamp_and_labels 12.47",
    "# A weird metric from before the epoch:",
    'something_weird{problem="division by zero"} +Inf -3982045',
    "",
  ].join("\n");
  assert.deepEqual(values(page, "http_requests_total"), [
    [{ method: "post", code: "200" }, 1027, 1395066363000],
    [{ method: "post", code: "400" }, 3, 1395066363000],
  ]);
  const path = { path: "C:\\DIR\\FILE.TXT", error: 'Cannot find file:\n"FILE.TXT"' };
  assert.deepEqual(values(page, "msdos_file_access_time_seconds"), [[path, 1.458255915e9, undefined]]);
  assert.deepEqual(values(page, "metric_without_timestamp_and_labels"), [[{}, 12.47, undefined]]);
  assert.deepEqual(values('a{b="}",} 1\n', "a"), [[{ b: "}" }, 1, undefined]]);
});

test("OpenMetrics is read as its specification has it", () => {
  const page = [
    "# TYPE acme_http_router_request_seconds summary",
    "# UNIT acme_http_router_request_seconds seconds",
    'acme_http_router_request_seconds_count{path="/api/v1",method="GET"} 807283.0',
    'acme_http_router_request_seconds_created{path="/api/v1",method="GET"} 1605281325.0',
    "# TYPE foo counter",
    'foo_total 17.0 1520879607.789 # {trace_id="KOO5S4vxi0o"} 0.67',
    "foo_created 1520430000.123",
    "# EOF",
    "",
  ].join("\n");
  const summary = read(page, "acme_http_router_request_seconds_count", "openmetrics");
  assert.equal(summary.type, "summary");
  assert.deepEqual([...summary.created.values()], [1605281325]);
  assert.deepEqual(values(page, "foo_total", "openmetrics"), [[{}, 17, 1520879607.789]]);
  assert.equal(read(page, "foo_total", "openmetrics").type, "counter");
});

test("half a page and garbage are refused with their line", () => {
  const refused: [string, Form, RegExp][] = [
    ["a 1\nb 2", "text", /^ends within line 2$/],
    ["a 1\n", "openmetrics", /^ends without # EOF$/],
    ["a 1\n# EOF\nb 2\n", "openmetrics", /^line 3 stands behind the end/],
    ["a 1\n\n# EOF\n", "openmetrics", /^line 2 is of no metric/],
    ["b 1\na\n", "text", /^line 2 is of no metric: "a"/],
    ["a one\n", "text", /^line 1 has "one" where a number belongs/],
    ["a 0x10\n", "text", /^line 1 has "0x10"/],
    ['a{b="c" 1\n', "text", /^line 1 is of no metric/],
    ['a{b="c"d="e"} 1\n', "text", /^line 1 has labels that cannot be read/],
    ['a{b="c",b="d"} 1\n', "text", /^line 1 has labels that cannot be read/],
    ['a{b="c",d="e"} 1\na{d="e",b="c"} 2\n', "text", /^line 2 has a series that was there before/],
    ["<html>not it</html>\n", "text", /^line 1 is of no metric/],
  ];
  for (const [page, form, error] of refused) {
    assert.throws(() => read(page, "a", form), { name: "SyntaxError", message: error }, page);
  }
});

test("selectors match as Prometheus' do", () => {
  const labels = new Map([
    ["code", "503"],
    ["path", 'a"b\\c'],
  ]);
  const takes: [string, boolean][] = [
    ["a", true],
    ["a{}", true],
    ['a{code="503"}', true],
    ['a { code = "503" , }', true],
    ['a{code=~"5.."}', true],
    ['a{code=~"5"}', false],
    ['a{code!~"5.."}', false],
    ['a{code!="200",path=~".+"}', true],
    ['a{path="a\\"b\\\\c"}', true],
    ['a{missing=""}', true],
    ['a{missing=~".+"}', false],
    ['a{code=~"\\\\d+"}', true],
  ];
  for (const [text, expected] of takes) assert.equal(new Selector(text).takes(labels), expected, text);
  for (const text of ["", "9a", "a{", 'a{b="c"', "a{b=c}", 'a{b="c" d="e"}', 'a{b=~"("}', "rate(a[5m])"]) {
    assert.throws(() => new Selector(text), SyntaxError, text);
  }
});
