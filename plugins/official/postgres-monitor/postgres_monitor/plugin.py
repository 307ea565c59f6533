"""The vote: how many clients are connected, against a threshold.

A server that cannot be asked is an error and never idle, and so is one that hides sessions from the account.
"""

from __future__ import annotations

from typing import Any

from snooze_plugin import Busy, Config, Idle, Metrics, Plugin, run

from postgres_monitor.dsn import Dsn, DsnError
from postgres_monitor.server import Server
from postgres_monitor.sessions import Sessions, census
from snooze_monitor import Settings, about

THRESHOLD = 1
"""One client is a use. There is no original to follow, and what stops less is the better guess."""

DSN = "postgresql://snooze@localhost:5432/postgres"


class PostgresMonitor(Plugin):
    """Counts connections of clients."""

    name = "postgres-monitor"
    version = "1.0.0"

    def __init__(self) -> None:
        """With the defaults: a server on this machine, and an account without a password."""
        self._threshold = THRESHOLD
        self._ignored: list[str] = []
        self._server = Server(Dsn.read(DSN), None)

    def info(self) -> dict[str, Any]:
        """What the manifest says."""
        return about()

    def configure(self, config: Config) -> None:
        """Takes a configuration, or refuses it whole and keeps the one before."""
        settings = Settings(config)
        threshold = settings.whole_number("connection_threshold", THRESHOLD, least=1)
        ignored = settings.texts("ignored_application_names")
        try:
            dsn = Dsn.read(settings.text("dsn", DSN))
        except DsnError as error:
            raise settings.error("dsn", str(error)) from None
        password_file = settings.file("password_file")
        if password_file is not None and dsn.password:
            raise settings.error("password_file", "is given, and dsn has a password, too")
        settings.finish()
        self._threshold, self._ignored = threshold, ignored
        if (dsn, password_file) != (self._server.dsn, self._server.password_file):
            self._server.close()
            self._server = Server(dsn, password_file)

    def check_idle(self, metrics: Metrics) -> Idle | Busy:
        """Asks the server for its sessions and counts the clients among them, but for its own."""
        return self._verdict(self._server.ask(lambda run: census(run, self._ignored)))

    def shutdown(self) -> None:
        """Closes its connection."""
        self._server.close()

    def _verdict(self, sessions: Sessions) -> Idle | Busy:
        count = sessions.counted
        details = {"connection_count": count, "connection_threshold": self._threshold, **sessions.details()}
        connections = f"PostgreSQL has {count} {'connection' if count == 1 else 'connections'}"
        # What is seen is enough to be busy, whatever else there is.
        if count >= self._threshold:
            return Busy(f"{connections}, idle below {self._threshold}", details)
        if sessions.hidden or not sessions.sees_all:
            raise RuntimeError(
                f"PostgreSQL at {self._server.dsn.address} hides other accounts' sessions from {self._server.dsn.user} "
                f'({sessions.hidden} now); as a superuser: GRANT pg_read_all_stats TO "{self._server.dsn.user}"'
            )
        return Idle(f"{connections}, below {self._threshold}", details)


def main() -> None:
    """Answers for it."""
    run(PostgresMonitor())
