"""A question to a service with one limit for all of it, whatever hangs: names, connecting, signing in, the answer.

Time-outs of sockets start anew with each byte, and looking up names has none; so it runs in a thread that is left
behind when its time is over. It never has two under way.
"""

from __future__ import annotations

import threading
import time
from typing import Callable, Generic, TypeVar

T = TypeVar("T")

LIMIT_SECONDS = 3.5
"""All that a check may take: a runner waits for 5 s, and a plugin answers before it with what went wrong."""

STACK_BYTES = 1024 * 1024
"""The system's 8 MiB for each thread would be more, of a few threads, than a plugin is granted."""

_ENDING_SECONDS = 0.02
"""How long a question that was interrupted is waited for, so that the next one seldom finds it; many add up."""


class Question(Generic[T]):
    """Asks one question after the other; several of these are asked at once by beginning all before ending one."""

    def __init__(self, interrupt: Callable[[], None], limit_seconds: float = LIMIT_SECONDS) -> None:
        """`interrupt` ends what a question that is late waits for; it is called in another thread."""
        self._interrupt = interrupt
        self._limit_seconds = limit_seconds
        self._thread: threading.Thread | None = None
        self._deadline = 0.0
        self._answers: list[T] = []
        self._failures: list[BaseException] = []

    def ask(self, question: Callable[[], T]) -> T:
        """What it returns or raises; `TimeoutError` when it is late, or when the one before has not ended yet."""
        self.begin(question)
        return self.end()

    def begin(self, question: Callable[[], T]) -> None:
        """Begins to ask; raises `TimeoutError` when the question before has not ended yet."""
        self._deadline = time.monotonic() + self._limit_seconds
        if self._thread is not None and self._thread.is_alive():
            raise TimeoutError("the question before is still without an answer")
        # The thread keeps its own: what comes late from one that was left behind is nobody's answer.
        answers: list[T] = []
        failures: list[BaseException] = []

        def run() -> None:
            try:
                answers.append(question())
            except BaseException as failure:  # It is raised where it was asked.
                failures.append(failure)

        self._answers, self._failures = answers, failures
        before = threading.stack_size(STACK_BYTES)
        self._thread = threading.Thread(target=run, name="question", daemon=True)
        self._thread.start()
        threading.stack_size(before)

    def end(self) -> T:
        """Waits for the answer, for no longer than its limit allows since it began."""
        if self._thread is None:
            raise TimeoutError("nothing was asked")
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        if self._thread.is_alive():
            self._interrupt()
            self._thread.join(_ENDING_SECONDS)
            raise TimeoutError(f"no answer within {self._limit_seconds:g} s")
        if self._failures:
            raise self._failures[0]
        return self._answers[0]
