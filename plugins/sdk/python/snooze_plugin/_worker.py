"""A thread that runs one thing after the other, so that a plugin needs no locks and keeps what belongs to a thread.

It never holds up the end of the process: what hangs in it is left behind.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from concurrent.futures import Future
from typing import Any, Callable, TypeVar

T = TypeVar("T")

_QUEUE_LIMIT = 64
"""Methods that may wait. Each endpoint has one under way at most, so this is never reached."""


class Worker:
    """The thread and what waits for it."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[Future[Any], Callable[..., Any], tuple[object, ...]]] = queue.Queue(
            _QUEUE_LIMIT
        )
        threading.Thread(target=self._work, name="plugin", daemon=True).start()

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Runs it in the thread; whoever stops waiting does not stop it."""
        outcome: Future[T] = Future()
        self._waiting.put_nowait((outcome, function, arguments))
        return await asyncio.wrap_future(outcome)

    def _work(self) -> None:
        while True:
            outcome, function, arguments = self._waiting.get()
            if not outcome.set_running_or_notify_cancel():
                continue
            try:
                outcome.set_result(function(*arguments))
            except BaseException as error:  # The thread outlives whatever it runs.
                outcome.set_exception(error)
