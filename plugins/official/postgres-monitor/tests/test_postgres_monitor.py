"""Asked of a real PostgreSQL server."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_cluster import PASSWORD, Cluster

from official_fixtures import StartMonitor
from official_support import answering, wait_until

NAME = "postgres-monitor"
OWN = "cloudsnooze postgres-monitor"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    one = Cluster()
    try:
        one.run(
            "CREATE ROLE snooze LOGIN PASSWORD 'secret'", "GRANT pg_read_all_stats TO snooze",
            "CREATE ROLE anybody LOGIN PASSWORD 'secret'",
            "CREATE ROLE tlsonly LOGIN PASSWORD 'secret' IN ROLE pg_monitor",
            "CREATE ROLE plainonly LOGIN PASSWORD 'secret' IN ROLE pg_monitor",
        )  # fmt: skip
        yield one
    finally:
        one.remove()


def dsn(cluster: Cluster, more: str = "", user: str = "snooze") -> str:
    return f"postgresql://{user}:secret@127.0.0.1:{cluster.port}/postgres{more}"


def test_it_is_idle_below_the_threshold_and_busy_from_it_on(monitor: StartMonitor, cluster: Cluster) -> None:
    plugin = monitor(NAME, dsn=dsn(cluster), connection_threshold=3)
    # One more than these: the test's own.
    with cluster.clients(1):
        idle = plugin.vote()
        assert (idle["is_idle"], idle["reason"]) == (True, "PostgreSQL has 2 connections, below 3")
        with cluster.clients(1):
            busy = plugin.vote()
            assert busy["is_idle"] is False
            assert busy["details"]["connection_count"] == 4
    assert plugin.vote()["details"]["connection_count"] == 0


def test_it_does_not_count_itself_and_by_default_one_client_is_a_use(monitor: StartMonitor, cluster: Cluster) -> None:
    plugin = monitor(NAME, dsn=dsn(cluster))
    for _ in range(3):
        vote = plugin.vote()
        assert (vote["is_idle"], vote["details"]["connection_count"]) == (True, 0)
    with cluster.clients(0):
        assert not plugin.is_idle()


def test_its_connection_is_kept_and_closed_at_the_end(monitor: StartMonitor, cluster: Cluster) -> None:
    plugin = monitor(NAME, dsn=dsn(cluster))
    own = f"SELECT pid FROM pg_stat_activity WHERE application_name = '{OWN}'"
    plugin.vote()
    [[number]] = cluster.run(own)
    plugin.vote()
    assert cluster.run(own) == [[number]]
    assert plugin.end() == 0
    wait_until("its connection is gone", lambda: cluster.run(own) == [])


def test_what_clients_do_is_told(monitor: StartMonitor, cluster: Cluster) -> None:
    plugin = monitor(NAME, dsn=dsn(cluster))
    with cluster.clients(1) as [client]:
        client.run("BEGIN")
        details = plugin.vote()["details"]
        assert (details["idle"], details["idle_in_transaction"], details["connection_count"]) == (1, 1, 2)
        client.run("ROLLBACK")
    assert details["background"] > 0


def test_what_sends_the_log_is_told_and_does_not_count(monitor: StartMonitor, cluster: Cluster) -> None:
    sender = cluster.connect(replication="true")
    vote = monitor(NAME, dsn=dsn(cluster)).vote()
    sender.close()
    assert (vote["is_idle"], vote["details"]["walsenders"]) == (True, 1)


def test_clients_of_an_ignored_name_do_not_count(monitor: StartMonitor, cluster: Cluster) -> None:
    plugin = monitor(NAME, dsn=dsn(cluster), ignored_application_names=["the test*", "exporter-?"])
    with cluster.clients(2, application_name="exporter-1"):
        vote = plugin.vote()
        assert (vote["is_idle"], vote["details"]["ignored"]) == (True, 3)
        with cluster.clients(1, application_name="exporter-11"):
            assert not plugin.is_idle()


def test_an_account_that_does_not_see_everybody_is_unknown_unless_what_it_sees_is_busy(
    monitor: StartMonitor, cluster: Cluster
) -> None:
    plugin = monitor(NAME, dsn=dsn(cluster, user="anybody"))
    with cluster.clients(1):
        assert "hides other accounts' sessions from anybody" in plugin.fails()
        assert 'GRANT pg_read_all_stats TO "anybody"' in plugin.fails()
        # It sees its own account's.
        with cluster.clients(1, user="anybody", password="secret"):
            assert not plugin.is_idle()
    # Nobody is there, and it could not have known.
    assert "hides" in plugin.fails()
    cluster.run("GRANT pg_monitor TO anybody")
    assert plugin.is_idle()
    cluster.run("REVOKE pg_monitor FROM anybody")
    assert "hides" in plugin.fails()


def test_a_server_that_is_down_is_unknown_and_asked_again_when_it_is_back(
    monitor: StartMonitor, cluster: Cluster
) -> None:
    plugin = monitor(NAME, dsn=dsn(cluster))
    assert plugin.is_idle()
    cluster.stop()
    for _ in range(2):
        failure = plugin.fails()
        assert f"PostgreSQL at 127.0.0.1:{cluster.port}" in failure
        assert "is it running" in failure
    cluster.start()
    assert plugin.is_idle()


def test_a_server_that_started_anew_between_two_questions_is_asked_at_once(
    monitor: StartMonitor, cluster: Cluster
) -> None:
    plugin = monitor(NAME, dsn=dsn(cluster))
    assert plugin.is_idle()
    cluster.stop()
    cluster.start()
    assert plugin.is_idle()


def test_a_wrong_password_is_unknown_and_not_shown(monitor: StartMonitor, cluster: Cluster, tmp_path: Path) -> None:
    plugin = monitor(NAME, dsn=f"postgresql://snooze:hunter2@127.0.0.1:{cluster.port}/postgres")
    assert "dsn or password_file has to hold" in plugin.fails()
    plugin.configure(dsn=f"host=127.0.0.1 port={cluster.port} user=snooze dbname=postgres")
    plugin.fails()
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    plugin.configure(dsn=f"host=127.0.0.1 port={cluster.port} user=snooze dbname=postgres", password_file=str(file))
    assert "dsn or password_file has to hold" in plugin.fails()
    file.unlink()
    assert f"password_file: {file} cannot be read: No such file" in plugin.fails()
    file.write_text("secret\n")
    assert plugin.is_idle()
    assert "hunter2" not in plugin.log()


def test_what_the_server_refuses_is_told(monitor: StartMonitor, cluster: Cluster) -> None:
    plugin = monitor(NAME, dsn=f"postgresql://snooze:secret@127.0.0.1:{cluster.port}/nowhere")
    assert "dsn has to name a database that is there" in plugin.fails()
    plugin.configure(dsn=dsn(cluster, "?sslmode=disable", user="tlsonly"))
    assert "pg_hba.conf has to let the account in" in plugin.fails()


def test_a_server_that_hangs_is_unknown_within_its_time(monitor: StartMonitor, cluster: Cluster) -> None:
    fresh = monitor(NAME, dsn=dsn(cluster))
    with cluster.server.stopped():
        assert "it hangs" in fresh.fails()
    assert fresh.is_idle()
    [[number]] = cluster.run(f"SELECT pid FROM pg_stat_activity WHERE application_name = '{OWN}'")
    os.kill(number, signal.SIGSTOP)
    try:
        assert "it hangs" in fresh.fails()
    finally:
        os.kill(number, signal.SIGCONT)
    wait_until("its old connection is gone", fresh.is_idle)


@pytest.mark.parametrize(
    "words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"S\x00\xff" * 99, b"N\x00\xff" * 99, b"R\0\0\0\x04"]
)
def test_what_is_no_postgresql_is_unknown(monitor: StartMonitor, words: bytes) -> None:
    with answering(words) as port:
        for mode in ("prefer", "disable"):
            plugin = monitor(NAME, dsn=f"postgresql://snooze@127.0.0.1:{port}/postgres?sslmode={mode}")
            assert f"PostgreSQL at 127.0.0.1:{port}" in plugin.fails()


@pytest.mark.parametrize("words", [b"R\x7f\xff\xff\xff", b"N\x00\x00\x00\x05"])
def test_an_answer_without_end_is_unknown_within_its_time(monitor: StartMonitor, words: bytes) -> None:
    with answering(words, endless=True) as port:
        plugin = monitor(NAME, dsn=f"postgresql://snooze@127.0.0.1:{port}/postgres?sslmode=disable")
        for _ in range(2):
            assert f"PostgreSQL at 127.0.0.1:{port}: " in plugin.fails()


def test_a_port_that_hangs_up_is_unknown(monitor: StartMonitor) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        plugin = monitor(NAME, dsn=f"postgresql://snooze@127.0.0.1:{closed.getsockname()[1]}/postgres")
        assert "is it running" in plugin.fails()


# For each mode: whether it is served with a certificate of its authority, one of a stranger's, and where the account
# is let in only with TLS or only without.
MODES = {
    "disable": (True, True, False, True),
    "allow": (True, True, True, True),
    "prefer": (True, True, True, True),
    "require": (True, False, True, False),
    "verify-ca": (True, False, True, False),
    "verify-full": (True, False, True, False),
}


@pytest.mark.parametrize("mode", MODES)
def test_tls_goes_as_far_as_sslmode_says(monitor: StartMonitor, cluster: Cluster, mode: str) -> None:
    plugin = monitor(NAME)
    expected = MODES[mode]
    cases = [("server", "snooze"), ("stranger", "snooze"), ("server", "tlsonly"), ("server", "plainonly")]
    for is_served, (authority, user) in zip(expected, cases):
        plugin.configure(dsn=dsn(cluster, f"?sslmode={mode}&sslrootcert={cluster.folder}/{authority}.crt", user=user))
        answer = plugin.ask("CheckIdle", {"metrics": {}})
        assert ("result" in answer) == is_served, (authority, user, answer)


def test_verify_full_is_held_to_the_hosts_name_and_verify_ca_is_not(monitor: StartMonitor, cluster: Cluster) -> None:
    words = (
        f"hostaddr=127.0.0.1 host=elsewhere.example port={cluster.port} user=snooze password=secret dbname=postgres "
        f"sslrootcert={cluster.folder}/server.crt sslmode="
    )
    plugin = monitor(NAME, dsn=f"{words}verify-ca")
    assert plugin.is_idle()
    plugin.configure(dsn=f"{words}verify-full")
    assert "certificate verify failed" in plugin.fails()


def test_without_an_authority_require_takes_any_certificate_and_verify_full_needs_the_systems(
    monitor: StartMonitor, cluster: Cluster
) -> None:
    plugin = monitor(NAME, dsn=dsn(cluster, "?sslmode=require"))
    assert plugin.is_idle()
    plugin.configure(dsn=dsn(cluster, "?sslmode=verify-full&sslrootcert=system"))
    assert "certificate verify failed" in plugin.fails()
    plugin.configure(dsn=dsn(cluster, "?sslmode=verify-full&sslrootcert=/no/such.crt"))
    assert "sslrootcert of dsn: /no/such.crt cannot be used: No such file" in plugin.fails()


def test_a_unix_socket_is_asked(monitor: StartMonitor, cluster: Cluster) -> None:
    plugin = monitor(NAME, dsn=f"host={cluster.folder} port={cluster.port} user=snooze password=secret dbname=postgres")
    assert plugin.is_idle()
    with cluster.clients(0):
        assert not plugin.is_idle()


def test_a_reconfiguration_holds_at_once_or_is_refused_whole(monitor: StartMonitor, cluster: Cluster) -> None:
    plugin = monitor(NAME, dsn=dsn(cluster), connection_threshold=2)
    with cluster.clients(0):
        assert plugin.is_idle()
        plugin.configure(dsn=dsn(cluster), connection_threshold=1)
        assert not plugin.is_idle()
        refused: dict[str, dict[str, object]] = {
            "connection_threshold": {"connection_threshold": 0.5},
            "dsn is neither": {"dsn": "postgresql://ann:hunter2/@host"},
            "dsn is a text": {"dsn": 5},
            "dsn names no user": {"dsn": "password=hunter2"},
            "dsn has a port": {"dsn": "user=ann password=hunter2 port=x"},
            "password_file is an absolute": {"password_file": "hunter2"},
            "password_file is given": {"password_file": "/etc/hostname"},
            "ignored_application_names[0]": {"ignored_application_names": [""]},
            "dns is not known": {"dns": "hunter2"},
        }
        for field, config in refused.items():
            refusal = plugin.refuses(**{"dsn": dsn(cluster), "connection_threshold": 5, **config})
            assert refusal.startswith(field), refusal
            assert "hunter2" not in refusal + plugin.log()
            assert not plugin.is_idle()


def test_the_superuser_sees_everybody(monitor: StartMonitor, cluster: Cluster) -> None:
    words = f"host=127.0.0.1 port={cluster.port} user=owner dbname=postgres password='{PASSWORD}'"
    plugin = monitor(NAME, dsn=words.replace("owner's", "owner\\'s"))
    assert plugin.is_idle()
