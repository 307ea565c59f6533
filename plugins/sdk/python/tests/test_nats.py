"""The same plugins over NATS, with a real server: subjects, forms, the services protocol, replicas, and coming back."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import msgpack
from bus import ask, ask_all, gather, over_nats
from conftest import Start
from nats.aio.client import Client
from support import EXAMPLE, LIMIT_SECONDS, Server, wait_until

EXAMPLE_SUBJECT = "snooze.v1.host.web.plugin.example-python"

SLOW = """
from snooze_plugin import *
import os, pathlib, sys, time

class Slow(Plugin):
    name = "slow"
    version = "2.1.0"
    folder = pathlib.Path(os.environ["FOLDER"])

    def check_idle(self, metrics):
        return Busy(str(os.getpid()), {"host": metrics.host})

    def handle_event(self, event):
        (self.folder / "begun").touch()
        while not (self.folder / "go").exists():
            time.sleep(0.005)
        return Handled(str(event.left_seconds))

    def shutdown(self):
        sys.stderr.write("ended\\n")

run(Slow())
"""


def test_every_method_is_answered_on_its_subject(start: Start, server: Server) -> None:
    example = over_nats(start, EXAMPLE, server)

    async def scenario(client: Client) -> None:
        async def of(method: str, params: object) -> Any:
            return await ask(client, f"{EXAMPLE_SUBJECT}.{method}", params)

        assert (await of("info", {}))["name"] == "example-python"
        assert await of("configure", {"config": {"threshold": 50}}) == {"success": True}
        assert "threshold" in (await of("configure", {"config": {"threshold": 0}}))["error"]
        assert await of("initialize", {}) == {"success": True}
        assert await of("supported_events", {}) == {"events": ["custom"]}
        idle = await of("check_idle", {"metrics": {"cpu_usage": 49}, "host": "web"})
        assert idle == {"is_idle": True, "reason": "cpu at 49 %, below 50 %", "details": {"cpu_usage": 49}}
        assert await of("check_idle", {"metrics": {"cpu_usage": None}}) == {"error": "cpu_usage is unknown"}
        event = {"event": {"id": "e1", "type": "custom", "data": {"a": 1}}, "left_ms": 1000}
        handled = {"handled": True, "succeeded": True, "message": "seen e1", "details": {"a": 1}}
        assert await of("handle_event", event) == handled
        assert await of("shutdown", {}) == {"success": True}
        # It is still there: who asks last is not who started it.
        assert (await of("check_idle", {"metrics": {"cpu_usage": 1}}))["is_idle"] is True

    ask_all(server, scenario)
    example.process.send_signal(signal.SIGTERM)
    assert example.process.wait() == 0


def test_i3_what_has_an_effect_needs_its_kind_and_version(start: Start, server: Server) -> None:
    over_nats(start, EXAMPLE, server)
    kind, version = {"Snooze-Kind": "handle_event"}, {"Snooze-Version": "1"}

    async def scenario(client: Client) -> None:
        async def of(method: str, headers: dict[str, str]) -> Any:
            params = {
                "event": {"id": "e1", "type": "custom"},
                "config": {"threshold": 90},
                "metrics": {"cpu_usage": 50},
            }
            return await ask(client, f"{EXAMPLE_SUBJECT}.{method}", params, headers)

        for method in ("handle_event", "configure", "initialize", "shutdown"):
            missing = {"error": f"{method} has an effect and needs the header Snooze-Kind: {method}"}
            assert await of(method, {}) == missing
        missing = {"error": "handle_event has an effect and needs the header Snooze-Version: 1"}
        assert await of("handle_event", kind) == missing
        for wrong, told in (
            (version, "Snooze-Kind: handle_event"),
            ({**kind, "Snooze-Version": "2"}, "version 2 of handle_event is not known"),
            ({**version, "Snooze-Kind": "check_idle"}, "says check_idle"),
            ({**kind, **version, "nats-Sequence": "7"}, "only a server adds"),
            ({**kind, **version, "KV-Operation": "PURGE"}, "only a server adds"),
        ):
            assert told in (await of("handle_event", wrong))["error"]
        assert (await of("handle_event", {**kind, **version}))["handled"] is True
        # Asking may come bare, and never mislabelled; and what was refused has changed nothing.
        for method in ("info", "supported_events"):
            assert "error" not in await of(method, {})
        assert (await of("check_idle", {}))["is_idle"] is False
        assert "version 9" in (await of("check_idle", {"Snooze-Version": "9"}))["error"]

    ask_all(server, scenario)


def test_an_answer_has_the_form_of_its_question(start: Start, server: Server) -> None:
    over_nats(start, EXAMPLE, server)

    async def scenario(client: Client) -> None:
        async def raw(method: str, body: bytes) -> bytes:
            return (await client.request(f"{EXAMPLE_SUBJECT}.{method}", body, timeout=LIMIT_SECONDS)).data

        question = msgpack.packb({"metrics": {"cpu_usage": 1.5, "gpu_usage": None}, "host": "web"})
        idle = msgpack.unpackb(await raw("check_idle", question))
        assert idle == {"is_idle": True, "reason": "cpu at 1.5 %, below 10 %", "details": {"cpu_usage": 1.5}}
        error = msgpack.unpackb(await raw("check_idle", msgpack.packb({"metrics": {}})))
        assert error == {"error": "cpu_usage is unknown"}
        # What a shell sends is an empty object.
        assert json.loads(await raw("info", b""))["version"] == "1.0.0"
        for garbage in (b"x", b"[]", b"{", b"\x93\x01\x02\x03", b"\xde"):
            for method in ("info", "check_idle"):
                answer = await raw(method, garbage)
                text = msgpack.unpackb(answer) if garbage == b"\xde" else json.loads(answer)
                assert list(text) == ["error"], (garbage, method)

    ask_all(server, scenario)


def test_people_see_it_as_a_service(start: Start, server: Server) -> None:
    over_nats(start, EXAMPLE, server)

    async def scenario(client: Client) -> None:
        [info] = await gather(client, "$SRV.INFO.example-python", 1)
        assert (info["type"], info["name"], info["version"]) == (
            "io.nats.micro.v1.info_response",
            "example-python",
            "1.0.0",
        )
        methods = ("info", "check_idle", "handle_event", "supported_events", "configure", "initialize", "shutdown")
        assert {endpoint["name"]: endpoint["subject"] for endpoint in info["endpoints"]} == {
            method: f"{EXAMPLE_SUBJECT}.{method}" for method in methods
        }
        for cpu_usage in (1, 2, None):
            await ask(client, f"{EXAMPLE_SUBJECT}.check_idle", {"metrics": {"cpu_usage": cpu_usage}})
        [stats] = await gather(client, f"$SRV.STATS.example-python.{info['id']}", 1)
        [check_idle] = [endpoint for endpoint in stats["endpoints"] if endpoint["name"] == "check_idle"]
        assert (check_idle["num_requests"], check_idle["num_errors"]) == (3, 1)
        assert check_idle["last_error"] == "cpu_usage is unknown"
        assert check_idle["average_processing_time"] > 0
        answer = await client.request(f"{EXAMPLE_SUBJECT}.check_idle", b"{}", timeout=LIMIT_SECONDS)
        assert answer.headers == {"Nats-Service-Error": "cpu_usage is unknown", "Nats-Service-Error-Code": "500"}
        assert [ping["id"] for ping in await gather(client, "$SRV.PING", 1)] == [info["id"]]

    ask_all(server, scenario)


def test_replicas_of_a_fleet_plugin_share_the_questions(start: Start, server: Server, tmp_path: Path) -> None:
    replicas = [over_nats(start, SLOW, server, None, FOLDER=str(tmp_path)) for _ in range(2)]
    subject = "snooze.v1.fleet.plugin.slow"

    async def scenario(client: Client) -> None:
        infos = await gather(client, "$SRV.INFO.slow", 2)
        assert len({info["id"] for info in infos}) == 2
        assert {endpoint["queue_group"] for info in infos for endpoint in info["endpoints"]} == {"slow"}
        # One answer each, by either; the server deals at random, so both come in a hundred, but for one in 2 ** 99.
        question = {"metrics": {}, "host": "web"}
        answers = [await ask(client, f"{subject}.check_idle", question) for _ in range(100)]
        assert {answer["reason"] for answer in answers} == {str(one.process.pid) for one in replicas}
        assert {answer["details"]["host"] for answer in answers} == {"web"}
        stats = await gather(client, "$SRV.STATS.slow", 2)
        counts = [one["num_requests"] for all_ in stats for one in all_["endpoints"] if one["name"] == "check_idle"]
        assert sum(counts) == 100
        # Who ends leaves the questions to the other.
        replicas[0].process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(replicas[0].process.wait) == 0
        for _ in range(20):
            assert (await ask(client, f"{subject}.check_idle", question))["reason"] == str(replicas[1].process.pid)

    ask_all(server, scenario)


def test_a_long_handler_leaves_info_alone_and_is_waited_for_at_the_end(
    start: Start, server: Server, tmp_path: Path
) -> None:
    slow = over_nats(start, SLOW, server, FOLDER=str(tmp_path))
    subject = "snooze.v1.host.web.plugin.slow"

    async def scenario(client: Client) -> None:
        event = {"event": {"id": "e", "type": "custom"}, "left_ms": 1500}
        handling = asyncio.ensure_future(ask(client, f"{subject}.handle_event", event))
        await asyncio.to_thread(wait_until, "it handles", (tmp_path / "begun").exists)
        assert (await ask(client, f"{subject}.info", {}))["name"] == "slow"
        [stats] = await gather(client, "$SRV.STATS.slow", 1)
        assert stats["version"] == "2.1.0"
        # One at a time: a vote waits for the handler.
        voting = asyncio.ensure_future(ask(client, f"{subject}.check_idle", {"metrics": {}}))
        slow.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(wait_until, "it takes nothing new", lambda: "slow.*; ending" in slow.log())
        assert not handling.done()
        (tmp_path / "go").touch()
        assert (await handling)["message"] == "1.5"
        voting.cancel()

    ask_all(server, scenario)
    assert slow.process.wait() == 0
    assert slow.log().endswith("ended\n")


def test_it_comes_back_after_the_server(start: Start, server: Server) -> None:
    example = over_nats(start, EXAMPLE, server)

    async def scenario(client: Client) -> None:
        assert (await ask(client, f"{EXAMPLE_SUBJECT}.check_idle", {"metrics": {"cpu_usage": 1}}))["is_idle"] is True

    for times in (1, 2):
        server.kill()
        server.start()
        wait_until("it is back", lambda times=times: example.log().count("connected again") == times)  # type: ignore[misc]
        ask_all(server, scenario)


def test_it_waits_for_a_server_that_is_not_there_yet(start: Start, server: Server) -> None:
    server.kill()
    example, unwanted = (start(EXAMPLE, SNOOZE_NATS_URL=server.url, SNOOZE_HOST="web") for _ in range(2))
    for child in (example, unwanted):
        wait_until("it has tried", lambda child=child: "ConnectionRefusedError" in child.log())  # type: ignore[misc]
    # Without one, too, it ends in order.
    unwanted.process.send_signal(signal.SIGTERM)
    assert unwanted.process.wait() == 0
    server.start()
    wait_until("it answers", lambda: "answering on" in example.log())


def test_what_goes_wrong_is_an_error_in_either_form(start: Start, server: Server) -> None:
    program = """
from snooze_plugin import *
import asyncio, sys

class Bad(Plugin):
    name = "bad"

    async def check_idle(self, metrics):
        await asyncio.sleep(0)
        case = metrics.cpu_usage
        if case == 0: raise RuntimeError("Unknown method: CheckIdle")
        if case == 1: sys.exit(1)
        if case == 2: raise asyncio.CancelledError
        if case == 3: return True
        if case == 4: return Idle("", {"a": 2 ** 70})
        return Idle("a\\nb")

run(Bad())
"""
    over_nats(start, program, server)
    texts = [
        "RuntimeError: Unknown method: CheckIdle",
        "SystemExit: 1",
        "CancelledError",
        "check_idle returned bool in place of Idle or Busy",
    ]

    async def scenario(client: Client) -> None:
        subject = "snooze.v1.host.web.plugin.bad"
        for case, text in enumerate(texts):
            question = {"metrics": {"cpu_usage": case}}
            assert await ask(client, f"{subject}.check_idle", question) == {"error": text}
            packed = await client.request(f"{subject}.check_idle", msgpack.packb(question), timeout=LIMIT_SECONDS)
            assert msgpack.unpackb(packed.data) == {"error": text}
        too_large = msgpack.packb({"metrics": {"cpu_usage": 4}})
        packed = await client.request(f"{subject}.check_idle", too_large, timeout=LIMIT_SECONDS)
        assert list(msgpack.unpackb(packed.data)) == ["error"]
        assert (await ask(client, f"{subject}.check_idle", {}))["reason"] == "a\nb"
        unknown = {"error": "Unknown method: HandleEvent"}
        assert await ask(client, f"{subject}.handle_event", {}) == unknown

    ask_all(server, scenario)
