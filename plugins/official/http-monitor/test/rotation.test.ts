/** Logs that are rotated by a real logrotate under a real nginx, and logs that are lost. */

import assert from "node:assert/strict";
import {
  chmod,
  copyFile,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  truncate,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Nginx } from "./nginx.js";
import { BUILT, Plugin } from "./plugin.js";
import { command, folder, until } from "./process.js";

const ALL = { window_seconds: 3_600 };
const NOW = { window_seconds: 1 };

/** Rotates with what else stands in logrotate's configuration. */
async function rotate(nginx: Nginx, how: string): Promise<void> {
  const file = join(nginx.folder, "logrotate.conf");
  await writeFile(file, `${nginx.accessLog} {\n  rotate 5\n  ${how}\n}\n`);
  await chmod(file, 0o600);
  await command("logrotate", ["--force", "--state", join(nginx.folder, "state"), file], nginx.folder);
}

const reopening = (nginx: Nginx): string =>
  `nocompress\n  create 0644\n  postrotate\n    kill -USR1 $(cat ${nginx.folder}/nginx.pid)\n  endscript`;

test("every request is counted once through a rotation by rename", async () => {
  await using nginx = await Nginx.start();
  await using plugin = await Plugin.with({ access_log: nginx.accessLog, ...ALL });
  await plugin.begin();
  await nginx.get("/", 3);
  await plugin.counted(nginx.accessLog, 3);
  await nginx.get("/", 4);
  await rename(nginx.accessLog, `${nginx.accessLog}.1`);
  // Until it is told, nginx writes into the renamed file.
  await nginx.get("/", 5);
  await nginx.reopen();
  await nginx.get("/", 6);
  await plugin.counted(nginx.accessLog, 18);
});

test("every request is counted once through logrotate with create", async () => {
  await using nginx = await Nginx.start();
  await using plugin = await Plugin.with({ access_log: nginx.accessLog, ...ALL });
  await plugin.begin();
  for (let day = 1; day <= 3; day += 1) {
    await nginx.get("/", 3);
    await rotate(nginx, reopening(nginx));
    await nginx.get("/", 4);
    await plugin.counted(nginx.accessLog, 7 * day);
  }
});

test("every request is counted once through logrotate with create and compress", async () => {
  await using nginx = await Nginx.start();
  await using plugin = await Plugin.with({ access_log: nginx.accessLog, ...ALL });
  await plugin.begin();
  for (let day = 1; day <= 3; day += 1) {
    await nginx.get("/", 3);
    await rotate(nginx, reopening(nginx).replace("nocompress", "compress"));
    await nginx.get("/", 4);
    await plugin.counted(nginx.accessLog, 7 * day);
  }
  assert.ok(await readFile(`${nginx.accessLog}.1.gz`));
});

test("every request is counted once through logrotate with copytruncate", async () => {
  await using nginx = await Nginx.start();
  await using plugin = await Plugin.with({ access_log: nginx.accessLog, ...ALL });
  await nginx.get("/before", 1);
  await plugin.begin();
  for (let day = 1; day <= 3; day += 1) {
    await nginx.get("/", 3);
    await plugin.counted(nginx.accessLog, 37 * day - 34);
    await nginx.get("/", 4);
    await rotate(nginx, "nocompress\n  copytruncate");
    // Longer than before: its size alone does not tell that it was cut.
    await nginx.get("/", 30);
    await plugin.counted(nginx.accessLog, 37 * day);
  }
});

test("every request is counted once through logrotate with dates in names", async () => {
  await using nginx = await Nginx.start();
  await using plugin = await Plugin.with({ access_log: nginx.accessLog, ...ALL });
  await nginx.get("/before", 1);
  await plugin.begin();
  await nginx.get("/", 3);
  await rotate(nginx, "nocompress\n  copytruncate\n  dateext\n  extension .log");
  await nginx.get("/", 4);
  await plugin.counted(nginx.accessLog, 7);
});

test("two rotations between two checks are unknown", async () => {
  await using nginx = await Nginx.start();
  await using plugin = await Plugin.with({
    access_log: nginx.accessLog,
    ...NOW,
    requests_per_second_threshold: 1e3,
  });
  await plugin.begin();
  await rotate(nginx, reopening(nginx));
  await nginx.get("/", 50);
  await rotate(nginx, reopening(nginx));
  await plugin.unknown(/was rotated more than once since the last look/);
  await plugin.idle();
});

test("a server that goes on writing to a log that was renamed is unknown or counted, never idle", async () => {
  await using nginx = await Nginx.start();
  const config = { access_log: nginx.accessLog, ...NOW };
  await using before = await Plugin.with(config);
  await before.begin();
  await rename(nginx.accessLog, `${nginx.accessLog}.1`);
  await writeFile(nginx.accessLog, "");
  await using after = await Plugin.with(config);
  await after.begin();
  await nginx.get("/", 5);
  await before.busy();
  await after.unknown(/still writes to .*access\.log\.1: let it reopen its logs/);
});

test("a log that vanishes is unknown, and one that comes back begins anew", async () => {
  await using nginx = await Nginx.start();
  await using plugin = await Plugin.with({ access_log: nginx.accessLog, ...NOW });
  await plugin.begin();
  await rm(nginx.accessLog);
  await nginx.get("/", 20);
  assert.match(
    (await plugin.check()).error ?? "",
    /access\.log is not there: start the server that writes it/,
  );
  await nginx.reopen();
  assert.match((await plugin.check()).error ?? "", /the first look/);
  await plugin.idle();
  await nginx.get("/", 20);
  await plugin.busy();
});

test("a log that shrinks or is emptied without a copy is unknown, and busy if enough is left", async () => {
  await using nginx = await Nginx.start();
  await using plugin = await Plugin.with({
    access_log: nginx.accessLog,
    ...NOW,
    requests_per_second_threshold: 4,
  });
  await nginx.get("/", 40);
  await plugin.idle();
  const { length } = await readFile(nginx.accessLog);
  await truncate(nginx.accessLog, Math.floor(length / 2));
  await plugin.unknown(
    new RegExp(`was cut from ${length} to ${Math.floor(length / 2)} bytes and no rotated copy`),
  );
  await plugin.idle();
  await truncate(nginx.accessLog, 0);
  await plugin.unknown(/was cut from \d+ to 0 bytes/);
  await plugin.idle();
  await nginx.get("/", 10);
  await plugin.until(
    "the new lines",
    (answer) => (answer.details?.sources[nginx.accessLog]?.requests ?? 0) > 0,
  );
  await truncate(nginx.accessLog, 0);
  await nginx.get("/", 40);
  await plugin.busy();
});

test("an old copy beside a log that was emptied does not stand for what was lost", async () => {
  await using nginx = await Nginx.start();
  await using plugin = await Plugin.with({
    access_log: nginx.accessLog,
    ...NOW,
    requests_per_second_threshold: 1e3,
  });
  await nginx.get("/", 5);
  await copyFile(nginx.accessLog, `${nginx.accessLog}.1`);
  await plugin.idle();
  await nginx.get("/", 5);
  await truncate(nginx.accessLog, 0);
  await plugin.unknown(/was cut from \d+ to 0 bytes/);
});

test("a log that is replaced by an edited one is unknown", async () => {
  await using nginx = await Nginx.start();
  await using plugin = await Plugin.with({ access_log: nginx.accessLog, ...NOW });
  await nginx.get("/", 10);
  await plugin.idle();
  await command("sed", ["-i", "$d", nginx.accessLog], nginx.folder);
  await plugin.unknown(/was replaced by a file that begins as it did/);
});

test("what is no regular file is refused, and nothing waits for it", async () => {
  await using place = await folder();
  const pipe = join(place.path, "pipe.log");
  await command("mkfifo", [pipe], place.path);
  const directory = join(place.path, "folder.log");
  await mkdir(directory);
  for (const access_log of [pipe, directory, "/dev/null"]) {
    await using plugin = await Plugin.with({ access_log });
    assert.match((await plugin.check()).error ?? "", /is no regular file/);
  }
});

test("a log that the plugin's user may not read is unknown, and the error says what to do", async () => {
  await using place = await folder();
  const access_log = join(place.path, "access.log");
  await writeFile(access_log, "", { mode: 0o200 });
  // The superuser may read everything; nobody must find the plugin, too.
  const built = join(place.path, "http-monitor.mjs");
  await copyFile(BUILT, built);
  const nobody = process.getuid?.() === 0 ? 65_534 : undefined;
  await using plugin = await Plugin.with({ access_log }, nobody, built);
  assert.match(
    (await plugin.check()).error ?? "",
    /cannot be read \(EACCES\): grant its folder in permissions\.read/,
  );
});

test("no file is held open longer than it is read", async () => {
  await using nginx = await Nginx.start();
  await using plugin = await Plugin.with({ access_log: nginx.accessLog, ...ALL });
  await plugin.begin();
  const held = `/proc/${plugin.program.process.pid}/fd`;
  const logs = async (): Promise<number> => {
    const links = await Promise.all(
      (await readdir(held)).map((each) => readlink(join(held, each)).catch(() => "")),
    );
    return links.filter((link) => link.includes("access.log")).length;
  };
  assert.equal(await logs(), 1);
  for (let day = 0; day < 4; day += 1) {
    await rotate(nginx, reopening(nginx));
    await plugin.check();
  }
  assert.equal(await logs(), 2);
  await rm(`${nginx.accessLog}.1`);
  await plugin.check();
  assert.equal(await logs(), 1);
  await rename(nginx.accessLog, join(nginx.folder, "elsewhere-access.log"));
  await plugin.check();
  assert.equal(await logs(), 0);
  await nginx.reopen();
  await plugin.check();
  assert.equal(await logs(), 1);
  await plugin.ask("Shutdown", {});
  assert.equal(await logs(), 0);
});

test("a line that is longer than any request counts as one, and is unknown", async () => {
  await using nginx = await Nginx.start();
  await using plugin = await Plugin.with({
    access_log: nginx.accessLog,
    ...NOW,
    requests_per_second_threshold: 3,
  });
  await plugin.begin();
  const log = await open(nginx.accessLog, "a");
  await log.write("x".repeat(3 * 1024 * 1024));
  await plugin.unknown(/has a line longer than any request/);
  await log.write(`${"x".repeat(1024)}\n`);
  await log.close();
  await plugin.idle();
  await nginx.get("/", 60);
  await until("the lines behind it", async () =>
    (await plugin.check()).isIdle === false ? true : undefined,
  );
});
