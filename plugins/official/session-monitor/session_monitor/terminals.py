"""When something was last typed at a terminal, as w(1) tells it: the access time of its device.

It opens no terminal, so it neither reads what is typed nor keeps one from being closed.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

# Major numbers of pseudo terminals and of virtual consoles: Documentation/admin-guide/devices.txt of Linux.
_PSEUDO = range(136, 144)
_CONSOLE = 4
_SERIAL_FROM = 64


def name_of(number: int) -> str | None:
    """The name below /dev of a terminal of a process, as `pts/3`."""
    # "tty_nr" of proc_pid_stat(5): bits 31 to 20 and 7 to 0 are the minor number, 15 to 8 the major.
    major, minor = number >> 8 & 0xFFF, number >> 12 & 0xFFF00 | number & 0xFF
    if major in _PSEUDO:
        return f"pts/{(major - _PSEUDO.start) * 256 + minor}"
    if major == _CONSOLE:
        return f"tty{minor}" if minor < _SERIAL_FROM else f"ttyS{minor - _SERIAL_FROM}"
    return None


def typed_seconds_ago(name: str, devices: Path = Path("/dev")) -> float | None:
    """How long ago something was typed there; `None` where that cannot be seen, as of a terminal of a container."""
    try:
        found = os.stat(devices / name)
    except OSError:
        return None
    return max(0.0, time.time() - found.st_atime)


def used_seconds_ago(name: str, devices: Path = Path("/dev")) -> float | None:
    """How long ago something was typed or shown there: a sign of life where nobody is at it."""
    try:
        found = os.stat(devices / name)
    except OSError:
        return None
    return max(0.0, time.time() - max(found.st_atime, found.st_mtime))
