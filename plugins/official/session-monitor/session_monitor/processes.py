"""Which processes there are: what proc(5) says of them to everybody.

A view that leaves out others' processes is an error: whoever has a session could be among them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ARGUMENTS_LIMIT_BYTES = 16 * 1024
"""Enough for every line that is looked for; a process may have megabytes."""

_FIRST = "1"
"""The process that is always there, and belongs to the superuser."""


class HiddenError(RuntimeError):
    """Processes cannot be seen."""


@dataclass(frozen=True)
class Process:
    """One process."""

    pid: int
    parent: int
    user: int
    name: str
    arguments: tuple[str, ...]
    terminal: int
    """Its device's number; 0: none."""


def read_all(proc: Path = Path("/proc")) -> list[Process]:
    """Every process; those that end meanwhile are left out. Raises `HiddenError` where not every one can be seen."""
    try:
        numbers = [name for name in os.listdir(proc) if name.isdecimal()]
        if _FIRST not in numbers:
            raise HiddenError(f"{proc} hides others' processes; mount it without hidepid")
        found = [_read(proc / number) for number in numbers]
    except PermissionError as error:
        raise HiddenError(
            f"{error.filename} cannot be read: {error.strerror}; permissions.read has to name {proc}, which has to be "
            "mounted without hidepid"
        ) from None
    except OSError as error:
        raise HiddenError(f"{proc} cannot be read: {error.strerror}") from None
    return [process for process in found if process is not None]


def _read(folder: Path) -> Process | None:
    try:
        status = (folder / "stat").read_text(errors="replace")
        with (folder / "cmdline").open("rb") as file:
            arguments = file.read(ARGUMENTS_LIMIT_BYTES)
        user = folder.stat().st_uid
    except (FileNotFoundError, ProcessLookupError):
        return None
    # "12 (a name) S 1 12 12 34816 …": the name may hold spaces and parentheses of its own.
    name, _, rest = status.partition("(")[2].rpartition(")")
    state, parent, _group, _session, terminal, *_ = rest.split()
    # What has ended and waits for its parent uses nothing.
    if state in ("Z", "X"):
        return None
    words = arguments.rstrip(b"\0").split(b"\0")
    texts = tuple(word.decode("utf-8", errors="replace") for word in words)
    return Process(int(folder.name), int(parent), user, name, texts, int(terminal))
