"""Who is connected: the rows of pg_stat_activity, sorted into kinds.

It leaves out one session only: the one that it asks over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Callable

Run = Callable[[str], Any]
"""Runs a statement and returns its rows."""

# Of a session that the account may not see, all but its number, its account and its database is null: its kind, too.
_SESSIONS = """
SELECT backend_type, state, application_name, count(*)
FROM pg_catalog.pg_stat_activity WHERE pid <> pg_catalog.pg_backend_pid() GROUP BY 1, 2, 3
"""

# What pg_stat_activity itself asks before it shows a row of another account; pg_monitor has it, and superusers.
_SEES_ALL = "SELECT pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')"


@dataclass
class Sessions:
    """How many there are of each kind, and whether all were seen."""

    sees_all: bool = False
    active: int = 0
    idle: int = 0
    idle_in_transaction: int = 0
    walsenders: int = 0
    background: int = 0
    ignored: int = 0
    hidden: int = 0

    @property
    def counted(self) -> int:
        """Those that the vote rests on: clients, whatever they do."""
        return self.active + self.idle + self.idle_in_transaction

    def details(self) -> dict[str, int | bool]:
        """For people."""
        return dict(vars(self))

    def add(self, row: Sequence[Any], ignored: Sequence[str]) -> None:
        """Counts the sessions of one row."""
        kind, state, application, count = row
        if kind is None:
            self.hidden += count
        elif kind == "walsender":
            self.walsenders += count
        elif kind != "client backend":
            self.background += count
        elif any(fnmatchcase(application or "", pattern) for pattern in ignored):
            self.ignored += count
        elif state == "idle":
            self.idle += count
        elif state is not None and state.startswith("idle in transaction"):
            self.idle_in_transaction += count
        else:
            # Also those whose state the server does not track, or that still sign in.
            self.active += count


def census(run: Run, ignored: Sequence[str]) -> Sessions:
    """Counts the sessions of a server, but for the one that asks."""
    [[sees_all]] = run(_SEES_ALL)
    sessions = Sessions(sees_all=sees_all is True)
    for row in run(_SESSIONS):
        sessions.add(row, ignored)
    return sessions
