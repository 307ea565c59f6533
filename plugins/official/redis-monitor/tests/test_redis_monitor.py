"""Asked of real Redis servers, each in a folder and on a port of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from official_fixtures import StartMonitor, StartServer
from official_support import Server, answering, certificate, free_port, wait_until

NAME = "redis-monitor"


class Redis:
    """A server, and clients of it."""

    def __init__(self, serve: StartServer, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.socket = folder / f"{self.port}.sock"
        program = shutil.which("redis-server")
        assert program, "redis-server is missing: install it (Debian: apt-get install redis-server)"
        self.server: Server = serve(
            program, "--port", self.port, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--unixsocket",
            self.socket, *options,
        )  # fmt: skip
        self.server.ready("Redis listens", lambda: "Ready to accept connections" in self.server.log())
        self.url = f"redis://127.0.0.1:{self.port}"
        self.clients: list[redis.Redis] = []

    def client(self, **options: object) -> redis.Redis:
        """One more connection, which stays."""
        client = redis.Redis(port=self.port, single_connection_client=True, **options)
        client.ping()
        self.clients.append(client)
        return client

    def leave(self) -> None:
        while self.clients:
            self.clients.pop().close()


@pytest.fixture
def server(serve: StartServer, tmp_path: Path) -> Iterator[Redis]:
    one = Redis(serve, tmp_path)
    yield one
    one.leave()


def test_it_is_idle_below_the_threshold_and_busy_from_it_on(monitor: StartMonitor, server: Redis) -> None:
    plugin = monitor(NAME, redis_url=server.url, connection_threshold=2)
    server.client()
    idle = plugin.vote()
    assert (idle["is_idle"], idle["reason"]) == (True, "Redis has 1 connection, below 2")
    server.client()
    busy = plugin.vote()
    assert (busy["is_idle"], busy["reason"]) == (False, "Redis has 2 connections, idle below 2")
    assert busy["details"]["connection_count"] == 2
    server.leave()
    wait_until("the clients are gone", plugin.is_idle)


def test_it_does_not_count_itself(monitor: StartMonitor, server: Redis) -> None:
    plugin = monitor(NAME, redis_url=server.url, connection_threshold=1)
    for _ in range(3):
        assert plugin.vote()["details"]["connection_count"] == 0


def test_its_connection_is_kept_and_closed_at_the_end(monitor: StartMonitor, server: Redis) -> None:
    plugin = monitor(NAME, redis_url=server.url)
    watcher = server.client()
    plugin.vote()
    own = [client["id"] for client in watcher.client_list()]
    plugin.vote()
    assert [client["id"] for client in watcher.client_list()] == own
    assert plugin.end() == 0
    wait_until("its connection is gone", lambda: len(watcher.client_list()) == 1)


def test_without_a_configuration_the_threshold_is_three(monitor: StartMonitor, server: Redis) -> None:
    plugin = monitor(NAME, redis_url=server.url)
    server.client()
    server.client()
    assert plugin.is_idle()
    server.client()
    assert not plugin.is_idle()


def test_subscribers_and_monitors_count_and_are_told(monitor: StartMonitor, server: Redis) -> None:
    plugin = monitor(NAME, redis_url=server.url, connection_threshold=1)
    subscriber = server.client().pubsub()
    subscriber.subscribe("news")
    watcher = server.client().monitor()
    with watcher:
        details = plugin.vote()["details"]
    subscriber.close()
    # The connection of `client()` and the one that its subscription or its MONITOR opened.
    assert (details["pubsub"], details["monitor"], details["normal"]) == (1, 1, 2)
    assert details["connection_count"] == 4


def test_replicas_and_masters_are_told_and_do_not_count(
    monitor: StartMonitor, serve: StartServer, server: Redis, tmp_path: Path
) -> None:
    replica = Redis(serve, tmp_path, "--replicaof", "127.0.0.1", str(server.port))
    watcher = server.client()
    wait_until("the replica is there", lambda: watcher.info("replication")["connected_slaves"] == 1)
    details = monitor(NAME, redis_url=server.url).vote()["details"]
    # Newer servers feed a replica over two connections.
    assert details["replicas"] >= 1
    assert details["connection_count"] == 1
    # Until the two have synchronised, their link is a connection that the replica has and does not list.
    other = replica.client()
    wait_until("the link is up", lambda: other.info("replication")["master_link_status"] == "up")
    details = monitor(NAME, redis_url=replica.url).vote()["details"]
    assert (details["masters"], details["connection_count"]) == (1, 1)
    replica.leave()


def test_clients_of_an_ignored_name_do_not_count(monitor: StartMonitor, server: Redis) -> None:
    plugin = monitor(NAME, redis_url=server.url, connection_threshold=1, ignored_client_names=["sentinel-*"])
    server.client(client_name="sentinel-0123-cmd")
    vote = plugin.vote()
    assert (vote["is_idle"], vote["details"]["ignored"]) == (True, 1)
    server.client(client_name="worker")
    assert not plugin.is_idle()


def test_a_server_that_is_down_is_unknown_and_asked_again_when_it_is_back(
    monitor: StartMonitor, serve: StartServer, tmp_path: Path
) -> None:
    server = Redis(serve, tmp_path)
    plugin = monitor(NAME, redis_url=server.url)
    assert plugin.is_idle()
    server.server.close()
    assert f"Redis at 127.0.0.1:{server.port}" in plugin.fails()
    assert "is it running" in plugin.fails()
    again = serve(shutil.which("redis-server"), "--port", server.port, "--bind", "127.0.0.1", "--dir", tmp_path)
    again.ready("Redis listens", lambda: "Ready to accept connections" in again.log())
    assert plugin.is_idle()


def test_a_wrong_password_is_unknown_and_not_shown(monitor: StartMonitor, serve: StartServer, tmp_path: Path) -> None:
    server = Redis(serve, tmp_path, "--requirepass", "correct")
    for url in (f"redis://:hunter2@127.0.0.1:{server.port}", server.url):
        plugin = monitor(NAME, redis_url=url)
        assert "redis_url or password_file has to hold the user and password" in plugin.fails()
        assert "hunter2" not in plugin.fails() + plugin.log()
    plugin.configure(redis_url=f"redis://:correct@127.0.0.1:{server.port}")
    assert plugin.is_idle()
    file = tmp_path / "password"
    file.write_text("correct\n")
    plugin.configure(redis_url=server.url, password_file=str(file))
    assert plugin.is_idle()


def test_an_account_with_two_rights_is_enough_and_without_them_it_is_unknown(
    monitor: StartMonitor, server: Redis
) -> None:
    admin = server.client()
    admin.execute_command("ACL", "SETUSER", "snooze", "on", ">secret", "+client|id", "+client|list")
    plugin = monitor(NAME, redis_url=f"redis://snooze:secret@127.0.0.1:{server.port}")
    assert plugin.vote()["details"]["connection_count"] == 1
    for right in ("client|id", "client|list"):
        admin.execute_command("ACL", "SETUSER", "snooze", f"-{right}")
        assert "its account needs +client|id and +client|list" in plugin.fails()
        admin.execute_command("ACL", "SETUSER", "snooze", f"+{right}")
    assert plugin.is_idle()


def test_a_server_that_hangs_is_unknown_within_its_time(monitor: StartMonitor, server: Redis) -> None:
    plugin = monitor(NAME, redis_url=server.url)
    assert plugin.is_idle()
    with server.server.stopped():
        assert "it hangs" in plugin.fails()
        assert "it hangs" in plugin.fails()
    # What it had not answered is over, and its own old connections go away.
    wait_until("only one connection is left", lambda: plugin.vote()["details"]["connection_count"] == 0)


@pytest.mark.parametrize("words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\xff" * 100 + b"\r\n", b""])
def test_what_is_no_redis_is_unknown(monitor: StartMonitor, words: bytes) -> None:
    with answering(words) as port:
        assert f"Redis at 127.0.0.1:{port}" in monitor(NAME, redis_url=f"redis://127.0.0.1:{port}").fails()


def test_one_that_answers_byte_by_byte_is_unknown_within_its_time(monitor: StartMonitor) -> None:
    # A number whose end never comes, which a time-out of a socket alone never ends.
    with answering(b":1\r\n*" + b"1" * 100) as port:
        assert "Redis at" in monitor(NAME, redis_url=f"redis://127.0.0.1:{port}").fails()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "it starts, and is asked again"),
        (b"-ERR max number of clients reached\r\n", "raise maxclients"),
        (b"*1\r\n" * 10000, "does not speak the protocol of Redis"),
    ],
    ids=["loading", "full", "deep"],
)
def test_a_server_that_cannot_answer_now_says_why(monitor: StartMonitor, words: bytes, says: str) -> None:
    with answering(words) as port:
        assert says in monitor(NAME, redis_url=f"redis://127.0.0.1:{port}").fails()


@pytest.mark.parametrize("words", [b"+", b"$9000000000\r\n", b"*1000000000\r\n"])
def test_an_answer_without_end_is_unknown_within_its_time(monitor: StartMonitor, words: bytes) -> None:
    with answering(words, endless=True) as port:
        plugin = monitor(NAME, redis_url=f"redis://127.0.0.1:{port}")
        for _ in range(2):
            assert f"Redis at 127.0.0.1:{port}: " in plugin.fails()


def test_a_list_without_the_one_that_asks_is_unknown(monitor: StartMonitor) -> None:
    listed = b"id=1 addr=127.0.0.1:1 name= flags=N\n"
    with answering(b":5\r\n$%d\r\n%s\r\n" % (len(listed), listed)) as port:
        plugin = monitor(NAME, redis_url=f"redis://127.0.0.1:{port}")
        assert "misses the connection that asked" in plugin.fails()


def test_a_reconfiguration_holds_at_once_or_is_refused_whole(
    monitor: StartMonitor, serve: StartServer, server: Redis, tmp_path: Path
) -> None:
    plugin = monitor(NAME, redis_url=server.url, connection_threshold=1)
    server.client()
    assert not plugin.is_idle()
    other = Redis(serve, tmp_path)
    plugin.configure(redis_url=other.url, connection_threshold=1)
    assert plugin.is_idle()
    refused: dict[str, dict[str, object]] = {
        "connection_threshold": {"connection_threshold": 0},
        "redis_url": {"redis_url": "http://:hunter2@localhost"},
        "redis_url is": {"redis_url": "redis://:hunter2/x@localhost:1"},
        "redis_url is no URL": {"redis_url": "redis://localhost?no_such_key=hunter2"},
        "password_file": {"password_file": "hunter2"},
        "password_file is given": {"redis_url": "redis://:hunter2@localhost", "password_file": "/etc/hostname"},
        "ignored_client_names": {"ignored_client_names": "x"},
        "treshold is not known": {"treshold": 5},
    }
    for field, config in refused.items():
        refusal = plugin.refuses(**{"redis_url": server.url, **config})
        assert refusal.startswith(field), refusal
        assert "hunter2" not in refusal + plugin.log()
        assert plugin.is_idle()


def test_a_unix_socket_is_asked(monitor: StartMonitor, server: Redis) -> None:
    plugin = monitor(NAME, redis_url=f"unix://{server.socket}")
    server.client()
    assert plugin.vote()["details"]["connection_count"] == 1
    server.server.close()
    assert f"Redis at {server.socket}" in plugin.fails()


def test_tls_is_held_to_its_certificate(monitor: StartMonitor, serve: StartServer, tmp_path: Path) -> None:
    for name in ("server", "stranger"):
        certificate(tmp_path, name)
    port = free_port()
    Redis(
        serve, tmp_path, "--tls-port", str(port), "--tls-cert-file", f"{tmp_path}/server.crt", "--tls-key-file",
        f"{tmp_path}/server.key", "--tls-auth-clients", "no",
    )  # fmt: skip
    url = f"rediss://127.0.0.1:{port}?ssl_ca_certs={tmp_path}"
    plugin = monitor(NAME, redis_url=f"{url}/server.crt")
    assert plugin.is_idle()
    plugin.configure(redis_url=f"{url}/stranger.crt")
    assert "certificate verify failed" in plugin.fails()
    plugin.configure(redis_url=f"rediss://127.0.0.1:{port}")
    assert "certificate verify failed" in plugin.fails()


def test_what_it_says_of_itself_is_what_its_manifest_says(monitor: StartMonitor) -> None:
    info = monitor(NAME).ask("Info")["result"]
    assert (info["name"], info["version"], info["display_name"]) == (NAME, "1.0.0", "Redis Connection Monitor")
