"""A real PostgreSQL server in a folder and on a port of its own, ended by its id.

It refuses to run as the superuser, so there it runs as the account that comes with it.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pg8000.native import Connection

from official_support import Server, certificate, free_port, other_user, wait_until

PASSWORD = "owner's password"

HBA = """
local all all scram-sha-256
hostnossl all tlsonly all reject
hostssl all plainonly all reject
host all all all scram-sha-256
host replication all all scram-sha-256
"""


def program(name: str) -> str:
    """Debian's programs lie outside of everybody's search path."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    path = found[-1] if found else shutil.which(name)
    assert path, f"{name} is missing: install PostgreSQL (Debian: apt-get install postgresql)"
    return path


class Cluster:
    """The server; `owner` is its superuser."""

    def __init__(self) -> None:
        self._user = other_user()
        # Below /tmp itself: what tests have may be closed to the account that the server runs as.
        self.folder = Path(tempfile.mkdtemp(prefix="snooze-postgres-", dir="/tmp"))
        self.port = free_port()
        self._started = 0
        (self.folder / "password").write_text(f"{PASSWORD}\n")
        for name in ("server", "stranger"):
            certificate(self.folder, name)
        for path in (self.folder, *self.folder.iterdir()):
            if self._user:
                os.chown(path, self._user["user"], self._user["group"])
        for key in self.folder.glob("*.key"):
            key.chmod(0o600)
        # Whoever asks, as a plugin does, may pass; what is secret in it is closed by itself.
        self.folder.chmod(0o755)
        subprocess.run(
            [program("initdb"), "--pgdata", self.data, "--username", "owner", "--pwfile", self.folder / "password",
             "--auth", "scram-sha-256", "--no-sync", "--encoding", "UTF8", "--no-locale"],
            check=True, capture_output=True, cwd="/", **self._user,
        )  # fmt: skip
        (self.data / "pg_hba.conf").write_text(HBA)
        self.start()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        settings = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder, "fsync": "off",
            "ssl": "on", "ssl_cert_file": self.folder / "server.crt", "ssl_key_file": self.folder / "server.key",
        }  # fmt: skip
        words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        self._started += 1
        self.server = Server(
            [program("postgres"), "-D", str(self.data), *words],
            self.folder / f"log-{self._started}",
            cwd="/",
            **self._user,
        )
        self.server.ready("PostgreSQL is ready", lambda: "ready to accept connections" in self.server.log())

    def stop(self) -> None:
        """At once, with all its processes, each of which has a group of its own."""
        if self.server.process.poll() is None:
            self.server.process.send_signal(signal.SIGCONT)
            self.server.process.send_signal(signal.SIGQUIT)
            self.server.process.wait()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def connect(self, user: str = "owner", password: str = PASSWORD, **options: Any) -> Any:
        return Connection(user, host="127.0.0.1", port=self.port, password=password, database="postgres", **options)

    @contextlib.contextmanager
    def clients(self, count: int, **options: Any) -> Iterator[list[Any]]:
        """So many connections, which are gone for the server, too, when this ends."""
        owner = self.connect(application_name="the test itself")
        clients = [self.connect(**options) for _ in range(count)]
        numbers = [client.run("SELECT pg_backend_pid()")[0][0] for client in clients]
        try:
            yield clients
        finally:
            for client in clients:
                client.close()
            there = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(:numbers)"
            wait_until("the clients are gone", lambda: owner.run(there, numbers=numbers) == [[0]])
            owner.close()

    def run(self, *statements: str) -> Any:
        """As the superuser, over a connection that is gone before the next question."""
        owner = self.connect()
        rows: Any = None
        for statement in statements:
            rows = owner.run(statement)
        number = owner.run("SELECT pg_backend_pid()")[0][0]
        owner.close()
        wait_until("the connection is gone", lambda: not Path(f"/proc/{number}").exists())
        return rows
