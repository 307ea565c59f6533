"""Who is connected: the lines of CLIENT LIST, sorted into kinds.

It leaves out one connection only, by the number that the server gave it: the one that it asks over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from redis import Redis


class CensusError(ValueError):
    """An answer that does not show every client."""


@dataclass
class Clients:
    """How many there are of each kind; replicas and masters are other servers, not somebody who uses this one."""

    normal: int = 0
    pubsub: int = 0
    monitor: int = 0
    replicas: int = 0
    masters: int = 0
    ignored: int = 0

    @property
    def counted(self) -> int:
        """Those that the vote rests on, as the server's own `connected_clients` counts them."""
        return self.normal + self.pubsub + self.monitor

    def details(self) -> dict[str, int]:
        """For people."""
        return dict(vars(self))

    def add(self, client: Mapping[str, str], ignored: Sequence[str]) -> None:
        """Counts one of CLIENT LIST."""
        flags = client.get("flags")
        if not flags:
            raise CensusError("CLIENT LIST has a line without flags")
        # Letters as CLIENT LIST documents them; whoever has none of these is a normal client.
        if "S" in flags:
            self.replicas += 1
        elif "M" in flags:
            self.masters += 1
        elif any(fnmatchcase(client.get("name", ""), pattern) for pattern in ignored):
            self.ignored += 1
        elif "O" in flags:
            self.monitor += 1
        elif "P" in flags:
            self.pubsub += 1
        else:
            self.normal += 1


def census(client: Redis, ignored: Sequence[str]) -> Clients:
    """Counts the clients of a server, but for the connection that asks."""
    # Both over one connection: whatever goes wrong between them, the number is that of the connection that lists.
    with client.pipeline(transaction=False) as pipeline:
        pipeline.client_id()
        pipeline.client_list()
        own, listed = pipeline.execute()
    return count(str(own), listed, ignored)


def count(own: str, listed: Any, ignored: Sequence[str]) -> Clients:
    """Sorts the lines of CLIENT LIST; `own` is the number of the connection that asked."""
    clients = Clients()
    found = False
    for client in listed:
        if client.get("id") == own:
            found = True
        else:
            clients.add(client, ignored)
    if not found:
        # Something in between answers for several servers, or shows only a part of the clients.
        raise CensusError(
            "CLIENT LIST misses the connection that asked for it; redis_url has to lead to the server itself"
        )
    return clients
