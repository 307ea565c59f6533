/** Pages of metrics of real servers, read by the built plugin. */

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Nginx } from "./nginx.js";
import { Server } from "./page.js";
import { Plugin } from "./plugin.js";
import { command, folder, freePort } from "./process.js";

const ALL = { window_seconds: 3_600 };
const NOW = { window_seconds: 1 };

/** The runner waits 5 s, and the plugin is to answer before. */
const ANSWERS_WITHIN_MS = 4_500;

/** The user is `scraper`, the password `pa55`. */
const USERS = "scraper:{PLAIN}pa55\n";
const SECURED = `location = /secured { auth_basic here; auth_basic_user_file users; stub_status; }`;

test("the exporter's counter is idle, busy and idle again, and our own looks do not count", async () => {
  await using nginx = await Nginx.start();
  await using exporter = await Server.exporter(`${nginx.url}/stub_status`);
  const metrics_url = exporter.url("/metrics");
  await using plugin = await Plugin.with({ metrics_url, ...NOW, requests_per_second_threshold: 5 });
  assert.match((await plugin.check()).error ?? "", /the first look/);
  const { details } = await plugin.idle();
  assert.equal(details?.sources[metrics_url]?.requests, 0);
  assert.ok((details?.sources[metrics_url]?.ignored ?? 0) >= 1);
  await nginx.get("/", 40);
  await plugin.busy();
  await plugin.idle();
});

test("stub_status is read as it is, and our own looks do not count", async () => {
  await using nginx = await Nginx.start();
  const metrics_url = `${nginx.url}/stub_status`;
  await using plugin = await Plugin.with({ metrics_url, ...ALL });
  await plugin.begin();
  await plugin.counted(metrics_url, 0);
  await nginx.get("/", 12);
  await plugin.counted(metrics_url, 12);
  await using other = await Plugin.with({ metrics_url, metric: "http_requests_total" });
  assert.match(
    (await other.check()).error ?? "",
    /stub_status, which counts nothing but nginx_http_requests_total/,
  );
});

test("an exporter that does not reach nginx is unknown, and the count begins anew with nginx", async () => {
  await using nginx = await Nginx.start();
  await using exporter = await Server.exporter(`${nginx.url}/stub_status`);
  await using plugin = await Plugin.with({ metrics_url: exporter.url("/metrics"), ...NOW });
  await plugin.begin();
  await nginx.stop();
  await plugin.unknown(/exporter that does not reach nginx \(nginx_up 0\)/);
  await nginx.again();
  await plugin.unknown(/the first look/);
  await plugin.idle();
});

test("an application's counter is read with matchers, in either format", async () => {
  for (const openmetrics of [false, true]) {
    await using application = await Server.application(openmetrics);
    const metrics_url = application.url("/metrics");
    const metric = 'http_requests_total{path!~"/health.*", code="200"}';
    await application.get("/");
    await using plugin = await Plugin.with({ metrics_url, metric, ...ALL });
    await plugin.begin();
    await application.get("/healthz", 5);
    await application.get("/a%22%5C%0Ab", 3);
    await application.get("/", 4);
    await plugin.counted(metrics_url, 7);
  }
});

test("a counter without a series is 0, and one that is asked for by name and not there is unknown", async () => {
  await using application = await Server.application(false);
  const metrics_url = application.url("/metrics");
  await using plugin = await Plugin.with({ metrics_url, metric: "http_requests_total", ...NOW });
  await plugin.idle();
  await application.get("/healthz");
  const unknown: [string, RegExp][] = [
    ['http_requests_total{path="/api"}', /has no series that is http_requests_total\{path="\/api"\}/],
    ['http_requests_total{pth!="/api"}', /has no series of http_requests_total with the label pth/],
    ["http_request_total", /has no http_request_total; it has http_requests_total/],
    ["requests_in_flight", /has requests_in_flight as a gauge; name a counter/],
    ["request_duration_seconds_bucket", /as a histogram; name a counter, or a histogram's _count/],
  ];
  for (const [metric, error] of unknown) {
    assert.equal(await plugin.configure({ metrics_url, metric, ...NOW }), undefined);
    assert.match((await plugin.check()).error ?? "", error);
  }
  const rest = 'http_requests_total{path!="/healthz"}';
  assert.equal(await plugin.configure({ metrics_url, metric: rest, ...NOW }), undefined);
  await plugin.idle();
});

test("a counter that was reset is unknown, and busy where enough was counted since", async () => {
  await using application = await Server.application(false);
  const metrics_url = application.url("/metrics");
  const metric = "request_duration_seconds_count";
  await using plugin = await Plugin.with({ metrics_url, metric, ...NOW, requests_per_second_threshold: 2 });
  await application.get("/", 5);
  await plugin.begin();
  await application.stop();
  await application.again();
  await plugin.unknown(/was reset: its request_duration_seconds_count fell from 5 to 0; at least 0 requests/);
  await plugin.idle();
  await application.get("/", 60);
  await plugin.busy();
  await plugin.idle();
  await application.stop();
  await application.again();
  await application.get("/", 50);
  await plugin.busy();
});

test("a server that is down, or has something else there, is unknown, and says what to do", async () => {
  const refusing = `location = /refused { return 403; } location = /page { return 200 "<html></html>\\n"; }
    location = /broken { return 503; } location = /gone { return 444; }
    location = /zipped { add_header Content-Encoding gzip; return 200 "x\\n"; }`;
  await using nginx = await Nginx.start({ server: refusing });
  const unknown: [string, RegExp][] = [
    ["/none", /metrics page http:\S+\/none is no page of metrics: line 1 is of no metric: "here"/],
    ["/page", /is no page of metrics: line 1 is of no metric: "<html><\/html>"/],
    ["/moved", /leads elsewhere \(301\): name the page itself in metrics_url/],
    ["/refused", /refuses us \(403\): correct metrics_user/],
    ["/ready", /answers 204: correct metrics_url/],
    ["/broken", /answers 503: look into its server's log/],
    ["/gone", /cannot be reached \(ECONNRESET\): look whether its server hangs up, or correct metrics_url/],
    ["/zipped", /comes as gzip/],
  ];
  await using plugin = new Plugin();
  for (const [path, error] of unknown) {
    assert.equal(await plugin.configure({ metrics_url: nginx.url + path, ...NOW }), undefined);
    assert.match((await plugin.check()).error ?? "", error);
  }
  assert.equal(await plugin.configure({ metrics_url: `${nginx.url}/stub_status`, ...NOW }), undefined);
  await plugin.idle();
  await nginx.stop();
  await plugin.unknown(/cannot be reached \(ECONNREFUSED\): start its server, or correct metrics_url/);
});

test("a server that hangs is an error within the time that there is, and is asked again", async () => {
  await using application = await Server.application(false);
  const metrics_url = application.url("/metrics");
  await using plugin = await Plugin.with({ metrics_url, metric: "http_requests_total", ...NOW });
  await plugin.begin();
  application.signal("SIGSTOP");
  const asked = performance.now();
  assert.match((await plugin.check()).error ?? "", /did not answer in time: it hangs/);
  assert.ok(performance.now() - asked < ANSWERS_WITHIN_MS);
  application.signal("SIGCONT");
  await plugin.idle();
});

test("a password is sent and never shown, from the configuration, the address or a file", async () => {
  await using nginx = await Nginx.start({ server: SECURED });
  const file = join(nginx.folder, "password");
  await writeFile(join(nginx.folder, "users"), USERS);
  const plain = `${nginx.url}/secured`;
  const within = (user: string): string => plain.replace("://", `://${user}@`);
  await using plugin = new Plugin();
  const right = [
    { metrics_url: plain, metrics_user: "scraper", metrics_password: "pa55" },
    { metrics_url: within("scraper:pa55") },
    { metrics_url: plain, metrics_user: "scraper", metrics_password_file: file },
  ];
  await writeFile(file, "pa55\n");
  for (const config of right) {
    assert.equal(await plugin.configure({ ...config, ...NOW }), undefined);
    await plugin.idle();
  }
  await writeFile(file, "wr0ng\n");
  await plugin.unknown(/refuses us \(401\): correct metrics_user and metrics_password/);
  await writeFile(file, "two\nlines\n");
  await plugin.unknown(/metrics_password_file holds no secret of one line/);
  assert.equal(await plugin.configure({ metrics_url: within("scraper:wr0ng"), ...NOW }), undefined);
  const { error } = await plugin.check();
  assert.match(error ?? "", /refuses us \(401\)/);
  const missing = { ...right[2], metrics_password_file: `${file}.missing` };
  assert.equal(await plugin.configure({ ...missing, ...NOW }), undefined);
  assert.match((await plugin.check()).error ?? "", /metrics_password_file: ENOENT/);
  assert.doesNotMatch(plugin.program.log + error, /wr0ng|pa55|two/);
});

test("a token is sent as a bearer's", async () => {
  const secured = `location = /secured { if ($http_authorization != "Bearer t0ken") { return 401; } rewrite ^ /stub_status last; }`;
  await using nginx = await Nginx.start({ server: secured });
  const metrics_url = `${nginx.url}/secured`;
  await using plugin = await Plugin.with({ metrics_url, metrics_token: "t0ken", ...NOW });
  await plugin.idle();
  assert.equal(await plugin.configure({ metrics_url, metrics_token: "other", ...NOW }), undefined);
  assert.match((await plugin.check()).error ?? "", /refuses us \(401\)/);
});

test("a server is vouched for by the certificates of metrics_ca_file, and by nothing else", async () => {
  await using place = await folder();
  const [key, certificate] = [join(place.path, "key.pem"), join(place.path, "certificate.pem")];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  const made = [
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    "-keyout",
    key,
    "-out",
    certificate,
  ];
  await command("openssl", [...made, ...names], place.path);
  const port = await freePort();
  const tls = `listen 127.0.0.1:${port} ssl; ssl_certificate ${certificate}; ssl_certificate_key ${key};`;
  await using _nginx = await Nginx.start({ server: tls });
  const metrics_url = `https://127.0.0.1:${port}/stub_status`;
  await using plugin = await Plugin.with({ metrics_url, metrics_ca_file: certificate, ...NOW });
  await plugin.idle();
  assert.equal(await plugin.configure({ metrics_url, ...NOW }), undefined);
  assert.match((await plugin.check()).error ?? "", /is not trusted \(\w+\): name .* in metrics_ca_file/);
});

test("a log and a page together are busy where either is, and idle only where both are", async () => {
  await using nginx = await Nginx.start();
  await using application = await Server.application(false);
  const config = {
    access_log: nginx.accessLog,
    metrics_url: application.url("/metrics"),
    metric: "http_requests_total",
    ...NOW,
    requests_per_second_threshold: 3,
  };
  await using plugin = await Plugin.with(config);
  await plugin.idle();
  await nginx.get("/", 30);
  await plugin.busy();
  await plugin.idle();
  await application.get("/", 30);
  await plugin.busy();
  await plugin.idle();
  await application.stop();
  await plugin.unknown(/ECONNREFUSED/);
  await nginx.get("/", 30);
  await plugin.busy();
});

test("our own look does not count in the log of the server that has the page", async () => {
  const logged = "location = /logged { rewrite ^ /page last; } location = /page { stub_status; }";
  await using nginx = await Nginx.start({ server: logged });
  const metrics_url = `${nginx.url}/logged`;
  await using plugin = await Plugin.with({ access_log: nginx.accessLog, metrics_url, ...ALL });
  await plugin.idle();
  await nginx.get("/", 3);
  await plugin.counted(nginx.accessLog, 3);
  await plugin.counted(metrics_url, 3);
});
