"""Tells real servers: HTTP of Python's own library, and SMTP of aiosmtpd, each on a port of its own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from notifier_servers import EVENT, NAME, Hook, handle

from notifier.failure import of, without
from notifier.sending import LONGEST_PAUSE_SECONDS, Sender, Target
from notifier.webhook import sign
from official_fixtures import StartMonitor
from official_support import answering, certificate, free_port


@pytest.fixture
def hook() -> Iterator[Hook]:
    one = Hook()
    yield one
    one.close()


@pytest.fixture
def secure_hook(tmp_path: Path) -> Iterator[Hook]:
    certificate(tmp_path, "hook")
    one = Hook(tmp_path / "hook.crt")
    yield one
    one.close()


def test_slack_is_told_and_what_an_event_says_is_no_markup(monitor: StartMonitor, hook: Hook) -> None:
    plugin = monitor(NAME, targets=[{"type": "slack", "url": hook.url}], message="{severity} on {host}: {data.note}")
    outcome = handle(plugin, data={"note": "<!channel> & <http://evil|click> {id}"})
    assert (outcome["handled"], outcome["succeeded"]) == (True, True)
    assert outcome["details"] == {f"1 slack 127.0.0.1:{hook.port}": "told"}
    [request] = hook.requests
    assert request.path == "/hook/token-1234"
    text = "critical on web-1: &lt;!channel&gt; &amp; &lt;http://evil|click&gt; {id}"
    assert json.loads(request.body) == {"text": text}


def test_a_webhook_is_told_all_and_its_signature_is_that_of_standard_webhooks(
    monitor: StartMonitor, hook: Hook
) -> None:
    key = bytes(range(32))
    secret = "whsec_" + base64.b64encode(key).decode()
    handle(monitor(NAME, targets=[{"type": "webhook", "url": hook.url, "secret": secret}]))
    [request] = hook.requests
    signed = b".".join([b"cloud-spot-interrupt-7", request.headers["webhook-timestamp"].encode(), request.body])
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    assert request.headers["webhook-id"] == "cloud-spot-interrupt-7"
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60
    said = json.loads(request.body)
    assert (said["type"], said["timestamp"]) == ("cloud.spot.interrupt", "2026-01-31T12:00:00Z")
    assert said["data"]["data"] == EVENT["data"]
    assert said["data"]["deadline"] == "2026-01-31T12:02:00Z"


def test_the_signature_is_that_of_the_specifications_own_example() -> None:
    secret, timestamp, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "1614265330", b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp, body) == expected


def test_what_fails_for_now_is_tried_again_under_the_same_id(monitor: StartMonitor, hook: Hook) -> None:
    hook.statuses = [503, 429, 500]
    outcome = handle(monitor(NAME, targets=[{"type": "webhook", "url": hook.url, "secret": "s3cret"}]))
    assert outcome["succeeded"] is True
    assert outcome["details"] == {f"1 webhook 127.0.0.1:{hook.port}": "told (4 attempts)"}
    assert {request.headers["webhook-id"] for request in hook.requests} == {"cloud-spot-interrupt-7"}


@pytest.mark.parametrize("status", [301, 307, 400, 403, 404, 410])
def test_what_is_refused_for_good_is_not_tried_again_and_no_redirection_is_followed(
    monitor: StartMonitor, hook: Hook, status: int
) -> None:
    hook.statuses = [status]
    outcome = handle(monitor(NAME, targets=[{"type": "slack", "url": hook.url}]))
    assert (outcome["handled"], outcome["succeeded"]) == (True, False)
    assert f"answers {status}" in outcome["message"]
    assert len(hook.requests) == 1


def test_who_wants_to_be_left_alone_for_longer_than_there_is_time_is(monitor: StartMonitor, hook: Hook) -> None:
    hook.statuses, hook.retry_after = [429], "60"
    outcome = handle(monitor(NAME, targets=[{"type": "slack", "url": hook.url}]))
    assert outcome["succeeded"] is False
    assert len(hook.requests) == 1


def test_one_that_hangs_or_is_down_keeps_no_other_and_is_given_up_in_time(monitor: StartMonitor, hook: Hook) -> None:
    with answering(b"") as silent:
        down = free_port()
        plugin = monitor(
            NAME,
            targets=[{"type": "slack", "url": f"http://127.0.0.1:{port}/"} for port in (silent, down, hook.port)],
            timeout_seconds=2,
        )
        outcome = handle(plugin, left_seconds=10)
        assert outcome["message"].startswith("1 of 3 targets were told; ")
        assert outcome["details"][f"3 slack 127.0.0.1:{hook.port}"] == "told"
        assert "refused" in outcome["details"][f"2 slack 127.0.0.1:{down}"]
        # The one before may still be under way.
        assert handle(plugin, left_seconds=1)["details"][f"3 slack 127.0.0.1:{hook.port}"] == "told"


def test_no_answer_is_later_than_the_event_allows(monitor: StartMonitor) -> None:
    with answering(b"HTTP/1.1 200 OK\r\nX: ", endless=False) as silent:
        plugin = monitor(NAME, targets=[{"type": "slack", "url": f"http://127.0.0.1:{silent}/"}])
        for left in (0.3, 1, 2):
            assert handle(plugin, left_seconds=left)["succeeded"] is False


@pytest.mark.parametrize("garbage", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 999999 x\r\n\r\n", b"\x00\xff" * 100])
def test_garbage_is_not_told(monitor: StartMonitor, garbage: bytes) -> None:
    with answering(garbage) as port:
        plugin = monitor(NAME, targets=[{"type": "slack", "url": f"http://127.0.0.1:{port}/"}])
        assert handle(plugin, left_seconds=2)["succeeded"] is False


def test_https_is_held_to_the_certificate(monitor: StartMonitor, secure_hook: Hook, tmp_path: Path) -> None:
    certificate(tmp_path, "other")
    target = {"type": "slack", "url": secure_hook.url}
    plugin = monitor(NAME, targets=[{**target, "ca_file": str(secure_hook.authority)}])
    assert handle(plugin)["succeeded"] is True
    for other in ({}, {"ca_file": str(tmp_path / "other.crt")}):
        plugin.configure(targets=[{**target, **other}])
        outcome = handle(plugin)
        assert outcome["succeeded"] is False
        assert "certificate is not trusted" in outcome["message"]
        assert "attempts" not in outcome["message"]
    for missing, word in ((tmp_path / "none", "cannot be read"), (tmp_path / "hook.key", "no certificate")):
        plugin.configure(targets=[{**target, "ca_file": str(missing)}])
        message = handle(plugin)["message"]
        assert f"ca_file {missing}" in message
        assert word in message
        assert "attempts" not in message
    assert len(secure_hook.requests) == 1


def test_a_secret_in_a_file_is_read_each_time_and_missed_where_it_is_not_there(
    monitor: StartMonitor, hook: Hook, tmp_path: Path
) -> None:
    file = tmp_path / "url"
    plugin = monitor(NAME, targets=[{"type": "slack", "url_file": str(file)}])
    outcome = handle(plugin)
    assert f"url_file: {file} cannot be read" in outcome["message"]
    for path in ("one", "two"):
        file.write_text(f"http://127.0.0.1:{hook.port}/{path}\n")
        assert handle(plugin)["succeeded"] is True
    assert [request.path for request in hook.requests] == ["/one", "/two"]
    file.write_text("http://example.com/in-the-clear\n")
    outcome = handle(plugin)
    assert "https" in outcome["message"]
    assert "in-the-clear" not in json.dumps(outcome)


def test_no_secret_is_ever_said_or_logged(monitor: StartMonitor, hook: Hook) -> None:
    # A server may say back whatever it was sent.
    hook.statuses, hook.echo = [500, 403] * 4, True
    secret = "whsec_" + base64.b64encode(b"very secret, and long").decode()
    plugin = monitor(NAME, targets=[
        {"type": "slack", "url": hook.url}, {"type": "webhook", "url": hook.url + "?key=k-5678", "secret": secret},
    ])  # fmt: skip
    said = json.dumps(handle(plugin))
    for wrong in (
        {"type": "slack", "url": "http://example.com/token-1234"},
        {"type": "webhook", "url": "https://user:token-1234@example.com/"},
        {"type": "slack", "url": "token-1234"},
        {"type": "webhook", "url": hook.url, "secret": ["token-1234"]},
        {"type": "webhook", "url_file": "token-1234"},
        {"type": "webhook", "url": "https://h/", "secret": secret, "secret_file": "/token-1234"},
    ):
        said += plugin.refuses(targets=[wrong])
    said += plugin.log()
    assert "answers 403" in said
    assert not [one for one in ("token-1234", "k-5678", secret, secret[6:]) if one in said], said


def test_blotting_out_leaves_nothing_of_a_secret_that_holds_another() -> None:
    assert without("say abc-def\nand abc", ["abc", "abc-def", ""]) == "say *** and ***"


def test_what_the_fence_refuses_is_not_tried_again_and_says_what_to_grant() -> None:
    refused = of(PermissionError(13, "Permission denied"), [])
    assert refused.is_final
    assert "permissions.tcp" in str(refused)
    assert not of(ConnectionRefusedError(111, "Connection refused"), []).is_final


def test_one_that_no_thread_can_be_started_for_keeps_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    told: list[None] = []

    def limited(thread: threading.Thread) -> None:
        if len(told) == 1:
            raise RuntimeError("can't start new thread")
        start(thread)
        thread.join()

    monkeypatch.setattr(threading.Thread, "start", limited)
    targets = [Target(name, lambda _: told.append(None), list) for name in ("first", "second")]
    before = threading.stack_size()
    first, second = Sender().tell(targets, 5)
    assert (first.told, second.told) == (True, False)
    assert "can't start new thread" in str(second)
    assert threading.stack_size() == before


@pytest.mark.parametrize("back", ["hook/token-1234", "token-1234", "value k-5678-long only", "key=k-5678-long"])
def test_no_part_of_a_secret_url_that_a_server_says_back_is_said(monitor: StartMonitor, hook: Hook, back: str) -> None:
    hook.statuses, hook.said = [403], back
    outcome = handle(monitor(NAME, targets=[{"type": "webhook", "url": hook.url + "?key=k-5678-long"}]))
    said = json.dumps(outcome)
    assert outcome["succeeded"] is False
    assert "answers 403" in said
    assert not [one for one in ("token-1234", "k-5678-long") if one in said], said


@pytest.mark.parametrize(
    ("data", "state"), [({}, "raised"), ({"state": "cancelled"}, "cancelled"), ({"state": "cleared"}, "cleared")]
)
def test_an_all_clear_is_not_told_as_the_alarm(
    monitor: StartMonitor, hook: Hook, data: dict[str, str], state: str
) -> None:
    handle(monitor(NAME, targets=[{"type": "slack", "url": hook.url}]), data=data)
    [request] = hook.requests
    assert json.loads(request.body)["text"].startswith(f"critical: cloud.spot.interrupt {state} on web-1")


def test_pauses_grow_have_a_bound_and_never_pass_the_end() -> None:
    now, pauses = [0.0], []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    def attempt(limit_seconds: float) -> None:
        assert 0 < limit_seconds <= 60 - now[0]
        raise ConnectionResetError("no")

    [result] = Sender(pause, lambda: now[0]).tell([Target("one", attempt, list)], 60)
    assert (result.told, result.attempts) == (False, len(pauses) + 1)
    assert now[0] < 60
    assert max(pauses) <= LONGEST_PAUSE_SECONDS
    assert pauses[0] < 0.5 < pauses[2] < pauses[5]
    assert len(pauses) > 6


def test_nobody_configured_is_no_success_and_another_event_none_of_its_business(monitor: StartMonitor) -> None:
    plugin = monitor(NAME)
    outcome = handle(plugin)
    assert (outcome["handled"], outcome["succeeded"]) == (True, False)
    assert handle(plugin, type="made.up")["handled"] is False


def test_a_refused_configuration_names_the_key_and_changes_nothing(monitor: StartMonitor, hook: Hook) -> None:
    plugin = monitor(NAME, targets=[{"type": "slack", "url": hook.url}])
    mail: dict[str, object] = {"type": "email", "host": "h", "from": "a@b.c", "to": ["a@b.c"]}
    hooked: dict[str, object] = {"type": "slack", "url": "https://h/"}
    for key, target in (
        ("type", {"type": "fax"}), ("type", {}), ("url", {"type": "slack"}), ("url", {**hooked, "url": "ftp://h/"}),
        ("url", {**hooked, "url_file": "/f"}), ("secret", {**hooked, "secret": "x"}), ("host", {"type": "email"}),
        ("from", {**mail, "from": "a@b.c\r\nBcc: d@e.f"}), ("to", {**mail, "to": []}),
        ("to", {**mail, "to": ["a@b.c, d@e.f"]}), ("security", {**mail, "security": "ssl"}),
        ("port", {**mail, "port": 0}),
        ("username", {**mail, "username": "u"}), ("username", {**mail, "password": "p"}), ("tow", {**mail, "tow": 1}),
        ("security", {**mail, "security": "none", "host": "h.example", "username": "u", "password": "p"}),
    ):  # fmt: skip
        assert plugin.refuses(targets=[{"type": "slack", "url": hook.url}, target]).startswith(f"targets[1].{key} "), (
            key
        )
    for key, value in (("message", "{nmae}"), ("message", "{}"), ("subject", ""), ("targets", [{}] * 9)):
        assert plugin.refuses(**{key: value}).startswith(f"{key} ")
    assert handle(plugin)["succeeded"] is True
