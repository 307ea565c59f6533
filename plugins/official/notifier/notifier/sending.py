"""Tells all targets at once, each by a thread of its own, again and again while there is time and it may help.

A target that hangs costs the others nothing, and is left behind when the time is over.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

from notifier import failure

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0

ATTEMPT_SECONDS = 10.0
"""For each step of an attempt: one that hangs is worth another try while there is time."""

STACK_BYTES = 1024 * 1024
"""The system's 8 MiB for each thread would be more, of a few threads, than a plugin is granted."""


@dataclass(frozen=True)
class Target:
    """Who is told, how that is tried once in so many seconds, and what must not be said of it."""

    name: str
    attempt: Callable[[float], None]
    secrets: Callable[[], list[str]]


@dataclass
class Result:
    """What became of it."""

    told: bool = False
    attempts: int = 0
    text: str = "it hangs: there is no answer"

    def __str__(self) -> str:
        """For people."""
        times = "" if self.attempts == 1 else f" ({self.attempts} attempts)"
        return f"told{times}" if self.told else f"{self.text}{times}"


class Sender:
    """Tells targets, by their names; it knows which of them hang still."""

    def __init__(self, pause: Callable[[float], None] = time.sleep, now: Callable[[], float] = time.monotonic) -> None:
        """With other clocks for tests."""
        self._pause = pause
        self._now = now
        self._hanging: dict[str, threading.Thread] = {}

    def tell(self, targets: Sequence[Target], limit_seconds: float) -> list[Result]:
        """What became of each, within the time."""
        end = self._now() + limit_seconds
        results = [Result() for _ in targets]
        begun: list[tuple[str, threading.Thread]] = []
        self._hanging = {name: thread for name, thread in self._hanging.items() if thread.is_alive()}
        before = threading.stack_size(STACK_BYTES)
        try:
            for target, result in zip(targets, results):
                if target.name in self._hanging:
                    result.text = "the notice before is still under way: it hangs"
                    continue
                thread = threading.Thread(target=self._try, args=(target, result, end), daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # The others are told all the same.
                    result.text = f"{error}: too many of those before hang still"
                    continue
                begun.append((target.name, thread))
        finally:
            threading.stack_size(before)
        for name, thread in begun:
            thread.join(max(0.0, end - self._now()))
            if thread.is_alive():
                self._hanging[name] = thread
        # What a thread that was left behind comes to is nobody's answer any more.
        return [Result(result.told, result.attempts, result.text) for result in results]

    def _try(self, target: Target, result: Result, end: float) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            result.attempts += 1
            try:
                target.attempt(max(0.1, min(ATTEMPT_SECONDS, end - self._now())))
                result.told = True
                return
            except Exception as error:  # Whatever it is, it is why this one was not told.
                said = failure.of(error, target.secrets())
                result.text = str(said)
            # Many hosts of one storm are not to come back all at once.
            wait = max(pause * random.uniform(0.5, 1.0), said.after_seconds)  # noqa: S311  # It keeps nothing secret.
            if said.is_final or self._now() + wait >= end:
                return
            self._pause(wait)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
