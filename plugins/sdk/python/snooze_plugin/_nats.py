"""Answers over NATS, as a service of the NATS services protocol: one endpoint a method.

It publishes nothing but answers, and tries for ever to come back to its server. The plugin's own methods run one at a
time in a thread of their own, so that a long one leaves the connection and `info` alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import re
import signal
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.micro.request import Request
from nats.micro.service import EndpointConfig, Service, ServiceConfig, ServiceStats

from snooze_plugin._bodies import Body, check_host, read
from snooze_plugin._headers import check
from snooze_plugin._methods import Failure, Methods, Params, Result
from snooze_plugin._plugin import Plugin
from snooze_plugin._worker import Worker

_METHODS = {
    "info": "Info",
    "check_idle": "CheckIdle",
    "handle_event": "HandleEvent",
    "supported_events": "GetSupportedEvents",
    "configure": "Configure",
    "initialize": "Initialize",
    "shutdown": "Shutdown",
}

_GRACE_SECONDS = 60
"""What is under way at SIGTERM may take so long: what a handler of an urgent event usually needs. A second signal
does not wait."""

_PAUSE_SECONDS = 2
"""Between two attempts to come back, the client's own pause."""

_LOST = (NatsError, OSError, asyncio.TimeoutError)
"""What the client raises where it has no connection."""

_REFUSED = re.compile(r'permissions violation for subscription to "([^"]*)"', re.IGNORECASE)
"""What the server says of a subject that these credentials may not hear; the client tells it in lower case."""


def run_on_nats(plugin: Plugin, url: str, credentials: str | None, host: str | None) -> None:
    """Answers requests until SIGTERM or SIGINT."""
    if credentials is not None:
        _check_credentials(credentials)
        try:
            # The client itself looks for it only once it is connected.
            importlib.import_module("nkeys")
        except ModuleNotFoundError:
            sys.exit("SNOOZE_NATS_CREDENTIALS is set and nkeys is missing: pip install 'snooze-plugin[nats]'")
    asyncio.run(_Connection(plugin, url, credentials, host).run())


class _Connection:
    """One plugin on one server, from its start to its end."""

    def __init__(self, plugin: Plugin, url: str, credentials: str | None, host: str | None) -> None:
        self._name = plugin.name
        self._version = plugin.version
        self._description = plugin.description
        self._host = host
        self._credentials = credentials
        self._servers = [server.strip() for server in url.split(",")]
        where = "fleet" if host is None else f"host.{host}"
        self._prefix = f"snooze.v1.{where}.plugin.{plugin.name}"
        # The prefix of what these credentials may hear; nothing is asked here, but a client insists on having one.
        self._inbox = f"_INBOX_fleet-plugin.{plugin.name}" if host is None else f"_INBOX_plugin.{host}_{plugin.name}"
        self._methods = Methods(plugin, self._wait_for)
        self._worker = Worker()
        self._last_trouble = ""
        self._refused: list[str] = []

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._end, number)
        # Said once, before anybody asks; what it says is remembered.
        with contextlib.suppress(Failure):
            await self._worker.run(self._methods.info)
        while not self._ending.is_set():
            await self._serve()
        try:
            await asyncio.wait_for(self._worker.run(self._methods.end), _GRACE_SECONDS)
        except asyncio.TimeoutError:
            _say(f"what was under way is not done after {_GRACE_SECONDS} s and is left")
        if self._refused:
            sys.exit(self._refusal())

    def _refusal(self) -> str:
        """Why it ends that may not hear what it is asked: it would be up, and deaf, and nobody would know."""
        subjects = ", ".join(self._refused)
        return (
            f"snooze-plugin: the server refuses to let it hear {subjects}: SNOOZE_NATS_CREDENTIALS has to name the"
            f" credentials of the plugin {self._name} {'for the fleet' if self._host is None else f'on {self._host}'}"
        )

    async def _serve(self) -> None:
        """From a connection to its end, which the client alone brings about only where it was turned away for good."""
        client, closed = Client(), asyncio.Event()
        connecting = asyncio.ensure_future(self._connect(client, closed))
        try:
            if not await self._unless_ending(connecting):
                return
        except _LOST as error:
            # It was lost between the first contact and the last subscription.
            _say(f"the connection is lost: {error!r}; trying again")
            await _close(client)
            await self._pause()
            return
        ended = asyncio.ensure_future(closed.wait())
        if await self._unless_ending(ended):
            if self._refused:
                self._ending.set()
                await _drain(client)
                return
            _say(f"the connection is closed: {client.last_error}; trying again")
            await self._pause()
            return
        _say(f"answering on {self._prefix}.*; ending")
        await _drain(client)

    async def _pause(self) -> None:
        await self._unless_ending(asyncio.ensure_future(asyncio.sleep(_PAUSE_SECONDS)))

    async def _unless_ending(self, task: asyncio.Future[Any]) -> bool:
        """Waits for a task, whose failure is raised; false where the end is asked for before."""
        ending = asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait({task, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.cancel()
        if task.done():
            task.result()
            return True
        task.cancel()
        return False

    async def _connect(self, client: Client, closed: asyncio.Event) -> None:
        async def on_error(error: Exception) -> None:
            # The same again and again, for as long as a server is away, is said once.
            refused = _REFUSED.search(str(error))
            if refused is not None:
                self._refused.append(refused[1])
                closed.set()
                return
            trouble = f"{type(error).__name__}: {error}"
            if trouble != self._last_trouble:
                self._last_trouble = trouble
                _say(trouble)

        async def on_return() -> None:
            self._last_trouble = ""
            _say("connected again")

        async def on_close() -> None:
            closed.set()

        await client.connect(
            self._servers,
            name=self._name,
            user_credentials=self._credentials,
            inbox_prefix=self._inbox,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_PAUSE_SECONDS,
            drain_timeout=_GRACE_SECONDS,
            error_cb=on_error,
            reconnected_cb=on_return,
            closed_cb=on_close,
        )
        service = _PluginService(
            client, ServiceConfig(self._name, self._version, self._description, {}, queue_group=self._name)
        )
        await service.start()
        for name, method in _METHODS.items():
            await service.add_endpoint(
                EndpointConfig(
                    name=name,
                    subject=f"{self._prefix}.{name}",
                    handler=self._endpoint(service, name, method),
                    metadata={},
                )
            )
        # When the server has answered the second, it has taken or refused every subscription: the client sends a
        # ping ahead of what it has not written yet, and has written all of it when the first is answered.
        await client.flush()
        await client.flush()
        self._last_trouble = ""
        if not self._refused:
            _say(f"answering on {self._prefix}.*")

    def _endpoint(self, service: _PluginService, name: str, method: str) -> Any:
        async def handle(request: Request) -> None:
            body = Body.of(request.data)
            try:
                check(name, request.headers)
                params = read(request.data)
                if self._host is not None:
                    check_host(params, self._host)
                await request.respond(body.write(await self._answer(method, params)))
            except Failure as failure:
                service.count_error(name, failure.text)
                # Beside the body, what the services protocol has for errors; a header is one line.
                line = " ".join(failure.text.split()).encode("ascii", errors="replace").decode()
                await request.respond_error("500", line, data=body.write({"error": failure.text}))

        return handle

    async def _answer(self, method: str, params: Params) -> Result:
        if method == "Info":
            # It is known, and does not wait for what the plugin does meanwhile.
            return self._methods.info()
        return await self._worker.run(self._methods.answer, method, params)

    def _wait_for(self, awaitable: Awaitable[Any]) -> Any:
        # Called in the worker's thread: async methods run on the loop of the connection, still one at a time.
        async def whole() -> tuple[Any, BaseException | None]:
            try:
                return await awaitable, None
            # An exit that is raised in a loop would end the loop.
            except BaseException as error:
                return None, error

        said, error = asyncio.run_coroutine_threadsafe(whole(), self._loop).result()
        if error is not None:
            raise error
        return said

    def _end(self, number: int) -> None:
        if self._ending.is_set():
            os._exit(128 + number)
        self._ending.set()


class _PluginService(Service):
    """Counts errors that were answered with a body, which the client's service counts only without one."""

    def __init__(self, client: Client, config: ServiceConfig) -> None:
        super().__init__(client, config)
        self._errors: dict[str, tuple[int, str]] = {}

    def count_error(self, endpoint: str, text: str) -> None:
        count, _ = self._errors.get(endpoint, (0, ""))
        self._errors[endpoint] = (count + 1, text)

    def stats(self) -> ServiceStats:
        stats = super().stats()
        for endpoint in stats.endpoints:
            count, text = self._errors.get(endpoint.name, (0, ""))
            endpoint.num_errors += count
            endpoint.last_error = text or endpoint.last_error
        return stats


async def _drain(client: Client) -> None:
    """Takes nothing new, answers what was taken, and closes."""
    try:
        await client.drain()
    except _LOST as error:
        # Without a connection nobody can be answered.
        _say(f"ending without a connection: {type(error).__name__}")
        await _close(client)


async def _close(client: Client) -> None:
    with contextlib.suppress(*_LOST):
        await client.close()


def _check_credentials(path: str) -> None:
    """Refuses a file that holds no credentials: the client would search it for ever."""
    try:
        text = Path(path).read_text()
    except (OSError, ValueError) as error:
        sys.exit(f"SNOOZE_NATS_CREDENTIALS: {error}")
    for part in ("BEGIN NATS USER JWT", "BEGIN USER NKEY SEED"):
        if part not in text:
            sys.exit(f"SNOOZE_NATS_CREDENTIALS: {path} holds no credentials: {part} is missing")


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(f"snooze-plugin: {text}", file=sys.stderr, flush=True)  # noqa: T201 # Standard error is the log.
