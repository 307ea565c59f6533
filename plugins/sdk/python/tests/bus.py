"""Plugins that answer over NATS, and how tests ask them there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Callable

import nats
from conftest import Start
from nats.aio.client import Client
from support import LIMIT_SECONDS, Child, Server, wait_until


def over_nats(start: Start, program: Path | str, server: Server, host: str | None = "web", **more: str) -> Child:
    """A plugin that answers already."""
    place = {} if host is None else {"SNOOZE_HOST": host}
    child = start(program, SNOOZE_NATS_URL=server.url, **place, **more)
    wait_until("the plugin answers", lambda: "answering on" in child.log())
    return child


def ask_all(server: Server, scenario: Callable[[Client], Awaitable[None]], **options: Any) -> None:
    async def whole() -> None:
        client = await nats.connect(server.url, **options)
        try:
            await asyncio.wait_for(scenario(client), LIMIT_SECONDS)
        finally:
            await client.close()

    asyncio.run(whole())


async def ask(client: Client, subject: str, params: object, headers: dict[str, str] | None = None) -> Any:
    """Asks with the headers of the subject's method, or with these."""
    if headers is None:
        headers = {"Snooze-Kind": subject.rpartition(".")[2], "Snooze-Version": "1"}
    answer = await client.request(subject, json.dumps(params).encode(), timeout=LIMIT_SECONDS, headers=headers)
    return json.loads(answer.data)


async def gather(client: Client, subject: str, count: int) -> list[Any]:
    """So many answers to one question."""
    inbox = client.new_inbox()
    answers = await client.subscribe(inbox)
    await client.publish(subject, b"", reply=inbox)
    return [json.loads((await answers.next_msg(LIMIT_SECONDS)).data) for _ in range(count)]
