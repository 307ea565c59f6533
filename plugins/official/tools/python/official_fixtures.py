"""What every test of an official plugin in Python may ask for; it is ended with the test."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from official_support import Monitor, Server

# Its folder is called as its package: pytest, which names a test after its folders, would take one for the other.
importlib.import_module("notifier")

StartMonitor = Callable[..., Monitor]
StartServer = Callable[..., Server]


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[StartMonitor]:
    """Starts a plugin by its name, with a configuration."""
    monitors: list[Monitor] = []

    def start(name: str, **config: object) -> Monitor:
        one = Monitor(name, tmp_path)
        monitors.append(one)
        one.configure(**config)
        return one

    yield start
    for one in monitors:
        one.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[StartServer]:
    """Starts a server by its command."""
    servers: list[Server] = []

    def start(*command: object, **options: Any) -> Server:
        one = Server([str(word) for word in command], tmp_path / f"server-{len(servers)}.log", **options)
        servers.append(one)
        return one

    yield start
    for one in reversed(servers):
        one.close()
