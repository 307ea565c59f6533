/** The pure parts that make votes of what was read: counters, rates, votes, and settings. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { increase, select } from "../src/counter.js";
import { Window } from "../src/rate.js";
import { Selector } from "../src/selector.js";
import { settings } from "../src/settings.js";
import { type Finding, Unknown, vote } from "../src/vote.js";
import { read } from "./reading.js";

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

test("a series that is asked for and excluded was counted 0, and one that is not there may be a mistake", () => {
  const page = '# TYPE a counter\na{code="200",path="/healthz"} 5\n';
  const counted = (selector: string): number =>
    select(read(page, selector), new Selector(selector)).series.size;
  assert.equal(counted('a{code="200",path!="/healthz"}'), 0);
  assert.equal(counted('a{path!="/healthz"}'), 0);
  assert.throws(() => counted('a{code="201",path!="/healthz"}'), /has no series that is a\{code="201"/);
});

test("the vote is busy at the threshold, of all logs together or of the page, and idle only where all is known", () => {
  const found = (perSecond: number, doubt?: string) => ({
    requests: 1,
    ignored: 0,
    seconds: 60,
    perSecond,
    doubt,
  });
  const log = { name: "l", kind: "log" as const };
  const page = { name: "p", kind: "page" as const };
  const isIdle = (...findings: Finding[]): boolean => vote(findings, 1).isIdle;
  assert.equal(isIdle({ ...log, found: found(0.999) }), true);
  assert.equal(isIdle({ ...log, found: found(1) }), false);
  assert.equal(isIdle({ ...log, found: found(0.5) }, { ...log, name: "m", found: found(0.5) }), false);
  assert.equal(isIdle({ ...log, found: found(0.5) }, { ...page, found: found(0.5) }), true);
  assert.equal(isIdle({ ...log, found: "gone" }, { ...page, found: found(1) }), false);
  assert.equal(isIdle({ ...log, found: found(1, "half") }), false);
  const unknown: [Finding[], string][] = [
    [
      [
        { ...log, found: "gone" },
        { ...page, found: found(0.5) },
      ],
      "gone",
    ],
    [
      [
        { ...log, found: "gone" },
        { ...page, found: "down" },
      ],
      "gone; down",
    ],
    [[{ ...log, found: found(0.25, "was cut") }], "l was cut; at least 0.25 requests/s"],
  ];
  for (const [findings, message] of unknown)
    assert.throws(
      () => vote(findings, 1),
      (error) => error instanceof Unknown && error.message === message,
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
