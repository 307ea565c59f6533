"""What a server's lists of kernels and terminals say of its use.

It compares the server's times with the server's clock, and takes nothing for idle that it does not know as idle.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

QUIET = ("idle", "dead", "starting")
"""States of a kernel that computes nothing. One that nobody ever connected to is "starting" for as long as it lives;
what is not known here may compute."""


class ActivityError(ValueError):
    """A list that is none of Jupyter's."""


@dataclass(frozen=True)
class Limits:
    """What is a use."""

    idle_minutes: float
    terminals: bool


@dataclass
class Use:
    """How much there is, and how much of it is in use."""

    kernels: int = 0
    kernels_busy: int = 0
    kernels_recent: int = 0
    kernel_clients: int = 0
    terminals: int = 0
    terminals_recent: int = 0

    @property
    def in_use(self) -> int:
        """Kernels and terminals that make the server busy."""
        return self.kernels_busy + self.kernels_recent + self.terminals_recent

    def details(self) -> dict[str, int]:
        """For people."""
        return dict(vars(self))

    def add(self, other: Use) -> None:
        """Adds another server's."""
        for key, value in vars(other).items():
            setattr(self, key, getattr(self, key) + value)

    def add_kernels(self, listed: Any, now: datetime, limits: Limits) -> None:
        """Adds what `api/kernels` lists."""
        for kernel in _items(listed, "kernels"):
            self.kernels += 1
            state = kernel.get("execution_state")
            if not isinstance(state, str):
                raise ActivityError("a kernel has no execution_state")
            clients = kernel.get("connections")
            self.kernel_clients += clients if isinstance(clients, int) else 0
            if state not in QUIET:
                self.kernels_busy += 1
            elif _is_recent(kernel, now, limits):
                self.kernels_recent += 1

    def add_terminals(self, listed: Any, now: datetime, limits: Limits) -> None:
        """Adds what `api/terminals` lists."""
        for terminal in _items(listed, "terminals"):
            self.terminals += 1
            if _is_recent(terminal, now, limits):
                self.terminals_recent += 1


def _items(listed: Any, what: str) -> list[dict[str, Any]]:
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise ActivityError(f"its list of {what} is none")
    return listed


def _is_recent(item: dict[str, Any], now: datetime, limits: Limits) -> bool:
    said = item.get("last_activity")
    try:
        # Python before 3.11 knows offsets and no Z.
        at = datetime.fromisoformat(str(said).replace("Z", "+00:00"))
    except ValueError:
        raise ActivityError("a last_activity is no time") from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=timezone.utc)
    # The server's clock has whole seconds here: what is newer than now was used now, and with 0 nothing is recent.
    return limits.idle_minutes > 0 and (now - at).total_seconds() < limits.idle_minutes * 60
