"""The vote: how many clients are connected, against a threshold.

A server that cannot be asked, or that does not show every client, is an error and never idle.
"""

from __future__ import annotations

from typing import Any

from snooze_plugin import Busy, Config, Idle, Metrics, Plugin, run

from redis_monitor.clients import Clients, census
from redis_monitor.server import Server, Target
from snooze_monitor import Settings, about

THRESHOLD = 3
"""The original has 3 in its documented configuration and 5 in its code, where its own connection counts: the one that
stops less was taken."""


class RedisMonitor(Plugin):
    """Counts connections."""

    name = "redis-monitor"
    version = "1.0.0"

    def __init__(self) -> None:
        """With the defaults: a server on this machine."""
        self._threshold = THRESHOLD
        self._ignored: list[str] = []
        self._server = Server(Target())

    def info(self) -> dict[str, Any]:
        """What the manifest says."""
        return about()

    def configure(self, config: Config) -> None:
        """Takes a configuration, or refuses it whole and keeps the one before."""
        settings = Settings(config)
        threshold = settings.whole_number("connection_threshold", THRESHOLD, least=1)
        ignored = settings.texts("ignored_client_names")
        target = Target.take(settings)
        settings.finish()
        self._threshold, self._ignored = threshold, ignored
        if target != self._server.target:
            self._server.close()
            self._server = Server(target)

    def check_idle(self, metrics: Metrics) -> Idle | Busy:
        """Asks the server for its clients and counts all but its own connection."""
        return self._verdict(self._server.ask(lambda client: census(client, self._ignored)))

    def shutdown(self) -> None:
        """Closes its connection."""
        self._server.close()

    def _verdict(self, clients: Clients) -> Idle | Busy:
        count = clients.counted
        details = {"connection_count": count, "connection_threshold": self._threshold, **clients.details()}
        connections = f"Redis has {count} {'connection' if count == 1 else 'connections'}"
        if count < self._threshold:
            return Idle(f"{connections}, below {self._threshold}", details)
        return Busy(f"{connections}, idle below {self._threshold}", details)


def main() -> None:
    """Answers for it."""
    run(RedisMonitor())
