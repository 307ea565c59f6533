"""What failures of any server mean, and what to do about them; what only one kind of server says is its own plugin's.

No text of it shows more than the failure's own, and it decides nothing.
"""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator

from snooze_monitor.settings import SettingsError

MEMORY_LIMIT_BYTES = 256 * 1024 * 1024
"""Far more than any of these plugins needs: it keeps what sends without end from filling a machine."""


def bound_memory() -> None:
    """Bounds what this process may hold, where nobody else has: beyond it Python raises `MemoryError`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if soft == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT_BYTES, hard))


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from, the outermost first."""
    seen: set[int] = set()
    here: BaseException | None = error
    while here is not None and id(here) not in seen:
        seen.add(id(here))
        yield here
        here = here.__cause__ or here.__context__


def is_fenced(error: BaseException) -> bool:
    """Whether it is what the fence around a plugin answers to a connection that was not granted."""
    # Errors of TLS have numbers of their own, which are not the system's.
    return any(isinstance(cause, PermissionError) and cause.errno is not None for cause in causes(error))


def is_unresolved(error: BaseException) -> bool:
    """Whether a host's name was not found, which inside a fence may be for want of a permission."""
    return any(isinstance(cause, socket.gaierror) for cause in causes(error))


def is_late(error: BaseException) -> bool:
    """Whether something did not answer in time."""
    return any(isinstance(cause, TimeoutError) for cause in causes(error))


def advice(error: BaseException) -> str | None:
    """The failure and what to do about it, where that is the same for every server."""
    text = None
    if isinstance(error, SettingsError):
        text = str(error)
    elif is_fenced(error):
        text = f"{error}; permissions.tcp has to name the port, or permissions.unix the socket"
    elif is_unresolved(error):
        text = f"{error}; a name that is not in /etc/hosts takes permissions.udp, and has to be right"
    elif is_late(error):
        late = next(cause for cause in causes(error) if isinstance(cause, TimeoutError))
        text = f"{late}; it hangs, or something in between drops packets"
    elif any(isinstance(cause, MemoryError) for cause in causes(error)):
        text = "its answer does not fit into memory; is it what it should be that answers there?"
    return text
