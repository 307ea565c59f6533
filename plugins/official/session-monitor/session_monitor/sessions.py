"""Which of the processes are sessions of people, and where each of them types.

It knows programs by what they call themselves. Whoever can start a process can call it so, and so make the machine
busy; none of it makes a machine idle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from session_monitor.processes import Process
from session_monitor.terminals import name_of, typed_seconds_ago, used_seconds_ago

SSH, TMUX, TMUX_DETACHED, SCREEN, SCREEN_DETACHED, VSCODE = KINDS = (
    "ssh", "tmux", "tmux_detached", "screen", "screen_detached", "vscode",
)  # fmt: skip

# What OpenSSH calls the process of a connection that has signed in: "sshd: ann@pts/3", with all its terminals or with
# "notty", and "sshd: ann" before it has asked for anything. Square brackets are those that listen, sign in or watch.
_SSHD = re.compile(r"sshd(?:-session)?: (?P<user>[^@\[\]\s]+)(?:@(?P<terminals>[^\s\[\]]+))?")
_SSHD_NAMES = ("sshd", "sshd-session")

# One for each window that is open: of VS Code, its builds by others, and code-server.
_EXTENSION_HOST = "--type=extensionHost"
_VSCODE_PLACES = re.compile(
    r"/\.?(?:vscode|vscodium|vscode-oss|cursor|windsurf|positron)-server(?:-insiders|-oss)?/|/code-server/"
)


@dataclass(frozen=True)
class Session:
    """A session; `idle_seconds` is `None` where nobody can say."""

    kind: str
    pid: int
    user: int
    terminal: str | None
    idle_seconds: float | None

    def is_in_use(self, idle_minutes: float) -> bool:
        """Whether it is: what nobody can say is never idle."""
        return idle_minutes == 0 or self.idle_seconds is None or self.idle_seconds < idle_minutes * 60


def find(processes: Sequence[Process]) -> list[Session]:
    """All of them, of every kind."""
    return [*_ssh(processes), *_tmux(processes), *_screen(processes), *_vscode(processes)]


def _ssh(processes: Sequence[Process]) -> Iterator[Session]:
    for process in processes:
        # It has overwritten its arguments with one text, and the rest of their room with nothing.
        match = _SSHD.fullmatch(process.arguments[0].rstrip()) if process.name in _SSHD_NAMES else None
        if match is None:
            continue
        terminals = [name for name in (match["terminals"] or "notty").split(",") if name != "notty"]
        if not terminals:
            yield Session(SSH, process.pid, process.user, None, None)
        for terminal in terminals:
            yield Session(SSH, process.pid, process.user, terminal, typed_seconds_ago(terminal))


def _tmux(processes: Sequence[Process]) -> Iterator[Session]:
    for process in processes:
        if process.name == "tmux: client":
            yield _client(TMUX, process)
        elif process.name == "tmux: server":
            yield _detached(TMUX_DETACHED, process, processes)


def _screen(processes: Sequence[Process]) -> Iterator[Session]:
    for process in processes:
        # Both are named alike; the one that keeps the windows calls itself in capitals, and has no terminal.
        if process.name != "screen":
            continue
        if process.arguments[0].rpartition("/")[2] == "SCREEN":
            yield _detached(SCREEN_DETACHED, process, processes)
        elif process.terminal:
            yield _client(SCREEN, process)


def _vscode(processes: Sequence[Process]) -> Iterator[Session]:
    for process in processes:
        if _EXTENSION_HOST in process.arguments and any(map(_VSCODE_PLACES.search, process.arguments)):
            yield Session(VSCODE, process.pid, process.user, None, None)


def _client(kind: str, process: Process) -> Session:
    terminal = name_of(process.terminal)
    return Session(kind, process.pid, process.user, terminal, typed_seconds_ago(terminal) if terminal else None)


def _detached(kind: str, server: Process, processes: Sequence[Process]) -> Session:
    panes = {name_of(process.terminal) for process in processes if process.parent == server.pid and process.terminal}
    ages = [used_seconds_ago(pane) if pane else None for pane in panes]
    known = [age for age in ages if age is not None]
    return Session(kind, server.pid, server.user, None, min(known) if known and len(known) == len(ages) else None)
