/** The pure parts: lines, selectors, pages, rates and settings, with the texts of their specifications. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { increase, select } from "../src/counter.js";
import { type Form, type Metric, MetricReader } from "../src/exposition.js";
import { Window } from "../src/rate.js";
import { readLine } from "../src/request.js";
import { Selector } from "../src/selector.js";
import { settings } from "../src/settings.js";

const FIELDS = { path: "", agent: "", address: "" };

/** What a page, or the part of one, says of a metric. */
function read(page: string, selector: string, form: Form = "text"): Metric {
  const reader = new MetricReader(new Selector(selector), form);
  const lines = page.split("\n");
  const rest = lines.pop() ?? "";
  for (const line of lines) reader.take(line);
  return reader.end(rest);
}

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

test("a reset, a series that goes and a page that is not renewed are doubts, and a new series is none", () => {
  const between = (before: string, now: string): [number, string | undefined] => {
    const counted = (text: string) => select(read(text, "a"), new Selector("a"));
    const { requests, doubt } = increase(counted(before), counted(now), "a");
    return [requests, doubt];
  };
  assert.deepEqual(between("a 5\n", "a 7\n"), [2, undefined]);
  assert.deepEqual(between('a{b="1"} 5\n', 'a{b="1"} 5\na{b="2"} 4\n'), [4, undefined]);
  assert.deepEqual(between("a 5\n", "a 3\n"), [3, "was reset: its a fell from 5 to 3"]);
  assert.match(between('a{b="1"} 5\na{b="2"} 4\n', 'a{b="1"} 6\n')[1] ?? "", /a series of its a has gone/);
  assert.match(between("a 5\na_created 1\n", "a 9\na_created 2\n")[1] ?? "", /was reset/);
  assert.match(between("a 5 1000\n", "a 5 1000\n")[1] ?? "", /as it was counted before the last check/);
  assert.deepEqual(between("a 5 1000\n", "a 6 2000\n"), [1, undefined]);
  for (const value of ["NaN", "+Inf", "-1"])
    assert.throws(() => between(`a ${value}\n`, "a 1\n"), /is no count/);
});

test("a rate is of the window, from one check to the next, and never of less than a second", () => {
  const window = new Window(60);
  const at = (seconds: number, requests: number, doubt?: string) => {
    window.add(seconds * 1_000, { requests, ignored: 0, doubt });
    const rate = window.rate();
    return rate && [rate.requests, rate.seconds, rate.doubt];
  };
  assert.equal(at(0, 0), undefined);
  assert.equal(at(0.5, 9), undefined);
  assert.deepEqual(at(10, 1), [10, 10, undefined]);
  assert.deepEqual(at(59.5, 1, "half"), [11, 59.5, "half"]);
  // A check that comes a little early does not make the window two checks long.
  assert.deepEqual(at(119, 6), [6, 59.5, undefined]);
  assert.deepEqual(at(400, 3), [3, 281, undefined]);
  window.forget();
  assert.equal(at(401, 5), undefined);
  const often = new Window(10);
  for (let each = 0; each <= 100_000; each += 1) often.add(each, { requests: 1, ignored: 0 });
  const { requests = 0, seconds = 0 } = often.rate() ?? {};
  assert.ok(
    seconds >= 9 && seconds <= 10 && Math.abs(requests - seconds * 1_000) <= 1,
    `${requests} in ${seconds}`,
  );
});

test("every mistake of a configuration is named by its key, and no secret is shown", () => {
  const mistakes: [Record<string, unknown>, RegExp][] = [
    [{ requests_per_second_threshold: "1" }, /^requests_per_second_threshold is a number above 0$/],
    [{ window_seconds: 0.5 }, /^window_seconds is a number from 1 to 3600$/],
    [{ access_log: "access.log" }, /^access_log is the whole path of a file/],
    [{ access_log: [] }, /^access_log is an empty list/],
    [{ access_log: 5 }, /^access_log is a list of texts/],
    [{ ignore_paths: ["healthz"] }, /^ignore_paths are paths as \/healthz/],
    [{ ignore_agents: "x" }, /^ignore_agents is a list of texts$/],
    [{ ignore_addresses: ["10.0.0.0/33"] }, /^ignore_addresses: "10.0.0.0\/33" is no address/],
    [{ ignore_addresses: ["localhost"] }, /^ignore_addresses: "localhost" is no address/],
    [{ json_fields: { pat: "x" } }, /^json_fields are names of fields/],
    [{ metrics_url: "localhost:9113/metrics" }, /^metrics_url is an address as http:/],
    [{ metric: "a{" }, /^metric: behind a come matchers/],
    [{ metrics_url: "http://h/", metrics_own_requests: -1 }, /^metrics_own_requests is a whole number/],
    [{ metrics_user: "u" }, /^metrics_user needs metrics_url$/],
    [{ metrics_url: "http://h/", metrics_password: "s3cret" }, /^metrics_password needs metrics_user$/],
    [
      { metrics_url: "http://u:s3cret@h/", metrics_token: "s3cret" },
      /^metrics_user and metrics_token exclude/,
    ],
    [{ metrics_url: "http://h/", metrics_token: "s3cret", metrics_token_file: "/f" }, /exclude each other$/],
    [
      { metrics_url: "http://h/", metrics_ca_file: "ca.pem" },
      /^metrics_ca_file is the whole path of a file$/,
    ],
    [{ ignore_path: ["/x"], window_seconds: 0 }, /^ignore_path is no key of http-monitor; window_seconds is/],
  ];
  for (const [config, error] of mistakes) {
    assert.throws(
      () => settings(config),
      ({ message }: Error) => error.test(message) && !message.includes("s3cret"),
      JSON.stringify(config),
    );
  }
  const { threshold, windowSeconds, logs, page } = settings({});
  assert.deepEqual(
    [threshold, windowSeconds, logs.paths, page],
    [0.1, 60, ["/var/log/nginx/access.log"], undefined],
  );
  const paged = settings({ metrics_url: "http://u:p%40ss@h:1/m" });
  assert.deepEqual([paged.logs.paths, paged.page?.url.href, paged.page?.user], [[], "http://h:1/m", "u"]);
  assert.deepEqual(paged.page?.password, { value: "p@ss" });
});
