"""Servers that say themselves where they are: `jpserver-<pid>.json` in a runtime folder.

It follows no other file, and a file that cannot be read is an error: the server behind it may be in use.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from jupyter_monitor.server import Target

FILE_LIMIT_BYTES = 64 * 1024

_PATTERNS = ("jpserver-*.json", "nbserver-*.json")


@dataclass(frozen=True)
class Found:
    """A server of which there is a file."""

    target: Target
    pid: int

    def is_gone(self) -> bool:
        """Whether the process is; its file stays where it was killed."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            # It is another's, or the fence keeps from asking more: it is there.
            return False
        return False


def found_in(folder: Path, ca_file: Path | None) -> list[Found]:
    """The servers of a folder; `RuntimeError` says what of it cannot be read."""
    try:
        # A pattern alone would find nothing in a folder that cannot be listed.
        os.listdir(folder)
        files = sorted(file for pattern in _PATTERNS for file in folder.glob(pattern))
    except OSError as error:
        raise RuntimeError(_unreadable(folder, error)) from None
    return [found for file in files if (found := _read(file, ca_file)) is not None]


def _read(file: Path, ca_file: Path | None) -> Found | None:
    try:
        with file.open("rb") as opened:
            text = opened.read(FILE_LIMIT_BYTES)
    except FileNotFoundError:
        # The server ended between the listing and here.
        return None
    except OSError as error:
        raise RuntimeError(_unreadable(file, error)) from None
    try:
        said = json.loads(text)
        url, pid, token = str(said.get("url") or ""), int(said["pid"]), str(said.get("token") or "")
        target = Target(url=url, token=token, ca_file=ca_file)
        _ = target.place
        if pid <= 0:
            raise ValueError
    # Whatever a parser says may show a part of the token.
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RuntimeError(f"runtime_dirs: {file} is not what a Jupyter server writes") from None
    return Found(target, pid)


def _unreadable(path: Path, error: OSError) -> str:
    hint = ""
    if isinstance(error, PermissionError):
        hint = "; permissions.read has to name the folder, and its files are open to their owner alone"
    elif isinstance(error, FileNotFoundError):
        hint = "; jupyter --runtime-dir says where it is"
    return f"runtime_dirs: {path} cannot be read: {error.strerror}{hint}"
