"""What every test may ask for; it is ended with the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest
from support import Child, Server, serving

Start = Callable[..., Child]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a program, given as a path or as a text, with more environment where that is said."""
    children: list[Child] = []

    def start_one(program: Path | str, **environment: str) -> Child:
        path = program if isinstance(program, Path) else tmp_path / f"plugin-{len(children)}.py"
        if isinstance(program, str):
            path.write_text(program)
        child = Child(path, tmp_path / f"log-{len(children)}", environment)
        children.append(child)
        return child

    yield start_one
    for child in children:
        child.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A nats-server without credentials."""
    with serving(tmp_path) as one:
        yield one
