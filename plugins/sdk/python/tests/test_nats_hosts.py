"""Over NATS: what is about another host than the one that a subject names."""

from __future__ import annotations

from typing import Any

import msgpack
from bus import ask, ask_all, over_nats
from conftest import Start
from nats.aio.client import Client
from support import EXAMPLE, LIMIT_SECONDS, Server

EXAMPLE_SUBJECT = "snooze.v1.host.web.plugin.example-python"


def test_i3_what_names_another_host_than_its_subject_is_refused(start: Start, server: Server) -> None:
    over_nats(start, EXAMPLE, server)
    over_nats(start, EXAMPLE, server, None)
    refused = {"error": "the body names the host web-2, and the subject web"}

    async def scenario(client: Client) -> None:
        async def of(method: str, params: object, subject: str = EXAMPLE_SUBJECT) -> Any:
            return await ask(client, f"{subject}.{method}", params)

        def event(host: object) -> Any:
            return {"event": {"id": "e1", "type": "custom", "host": host, "data": {"host": "web-2"}}, "left_ms": 1000}

        question = {"metrics": {"cpu_usage": 1}, "host": "web-2"}
        for method, params in (("handle_event", event("web-2")), ("check_idle", question)):
            assert await of(method, params) == refused
            packed = await client.request(
                f"{EXAMPLE_SUBJECT}.{method}",
                msgpack.packb(params),
                timeout=LIMIT_SECONDS,
                headers={"Snooze-Kind": method, "Snooze-Version": "1"},
            )
            assert msgpack.unpackb(packed.data) == refused
            # Who serves every host is asked about any.
            assert "error" not in await of(method, params, "snooze.v1.fleet.plugin.example-python")
        for another in (7, ["web"], "WEB"):
            assert "names the host" in (await of("handle_event", event(another)))["error"]
        for right in ("web", "fleet", None):
            assert (await of("handle_event", event(right)))["handled"] is True

    ask_all(server, scenario)
