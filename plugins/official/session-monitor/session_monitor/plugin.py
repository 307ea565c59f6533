"""The vote: whether any session of the kinds that count is in use.

Where processes cannot be seen it is an error and never idle.
"""

from __future__ import annotations

import pwd
from dataclasses import dataclass
from typing import Any

from snooze_plugin import Busy, Config, Idle, Metrics, Plugin, run

from session_monitor.processes import read_all
from session_monitor.sessions import KINDS, Session, find
from snooze_monitor import Settings, about

IDLE_MINUTES = 15
"""As the original's limit for input, 900 s."""

DETACHED = ("tmux_detached", "screen_detached")
"""Nobody is at them: what runs there is for the machine's own voters to see, unless somebody wants it otherwise."""

SHOWN = 20
"""Sessions in the details, of which a runner keeps 4 KiB."""


@dataclass(frozen=True)
class Choice:
    """What is configured."""

    kinds: tuple[str, ...] = tuple(kind for kind in KINDS if kind not in DETACHED)
    idle_minutes: float = IDLE_MINUTES
    ignored_users: tuple[str, ...] = ()

    @classmethod
    def take(cls, config: Config) -> Choice:
        """Reads a configuration; raises what is wrong with it."""
        settings = Settings(config)
        choice = cls(
            tuple(kind for kind in KINDS if settings.switch(kind, default=kind not in DETACHED)),
            settings.number("idle_minutes", IDLE_MINUTES, least=0, most=10080),
            tuple(settings.texts("ignored_users")),
        )
        settings.finish()
        return choice


class SessionMonitor(Plugin):
    """Looks for sessions."""

    name = "session-monitor"
    version = "1.0.0"

    def __init__(self) -> None:
        """With the defaults: every kind that somebody is attached to."""
        self._choice = Choice()

    def info(self) -> dict[str, Any]:
        """What the manifest says."""
        return about()

    def configure(self, config: Config) -> None:
        """Takes a configuration, or refuses it whole and keeps the one before."""
        self._choice = Choice.take(config)

    def check_idle(self, metrics: Metrics) -> Idle | Busy:
        """Looks at all processes."""
        choice = self._choice
        named = [(session, _name(session.user)) for session in find(read_all()) if session.kind in choice.kinds]
        counted = [(session, user) for session, user in named if user not in choice.ignored_users]
        used = [(session, user) for session, user in counted if session.is_in_use(choice.idle_minutes)]
        details = {
            "sessions": len(counted),
            "sessions_in_use": len(used),
            "sessions_ignored": len(named) - len(counted),
            **{kind: sum(session.kind == kind for session, _ in counted) for kind in choice.kinds},
            # Those that the vote rests on first: not all may be shown.
            "list": [_shown(session, user, choice.idle_minutes) for session, user in _ordered(counted)[:SHOWN]],
        }
        if not used:
            there = f"{len(counted)} sessions" if counted else "no sessions"
            return Idle(f"{there}, none used within {choice.idle_minutes:g} minutes" if counted else there, details)
        session, user = _ordered(used)[0]
        more = f" (and {len(used) - 1} more)" if len(used) > 1 else ""
        return Busy(f"{session.kind} session of {user}{_since(session)}{more}", details)


def _ordered(sessions: list[tuple[Session, str]]) -> list[tuple[Session, str]]:
    # One of which nobody can say how long it is idle is in use for certain.
    return sorted(sessions, key=lambda pair: (pair[0].idle_seconds or 0.0, pair[0].kind, pair[0].pid))


def _since(session: Session) -> str:
    where = f" at {session.terminal}" if session.terminal else ""
    return where if session.idle_seconds is None else f"{where}, used {session.idle_seconds:.0f} s ago"


def _shown(session: Session, user: str, idle_minutes: float) -> dict[str, Any]:
    return {
        "kind": session.kind,
        "user": user,
        "pid": session.pid,
        "terminal": session.terminal,
        "idle_seconds": None if session.idle_seconds is None else round(session.idle_seconds),
        "in_use": session.is_in_use(idle_minutes),
    }


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def main() -> None:
    """Answers for it."""
    run(SessionMonitor())
