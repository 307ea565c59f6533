"""Mail to a real server: what is sent, how it is secured, and what is tried again."""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Callable

import pytest
from notifier_servers import NAME, PASSWORD, USER, Post, handle

from official_fixtures import StartMonitor

StartPost = Callable[..., Post]


@pytest.fixture
def post(tmp_path: Path) -> Iterator[StartPost]:
    """Starts a mail server."""
    started: list[Post] = []

    def start(security: str = "starttls", **options: Any) -> Post:
        started.append(Post(tmp_path, security=security, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


def parsed(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


# The server does not know that it is behind TLS from the start.
@pytest.mark.filterwarnings("ignore:Requiring AUTH")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_is_sent_over_tls_by_who_has_signed_in(
    monitor: StartMonitor, post: StartPost, tmp_path: Path, security: str
) -> None:
    server = post(security, auth_required=True)
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    target = server.target(
        security=security, username=USER, password_file=str(file), to=["a@example.com", "b@example.com"]
    )
    outcome = handle(monitor(NAME, targets=[target], message="Größe: {data.action}"))
    assert outcome["succeeded"] is True, outcome
    [message] = map(parsed, server.messages)
    assert message["Subject"] == "critical: cloud.spot.interrupt raised on web-1"
    assert message["To"] == "a@example.com, b@example.com"
    assert message["Message-ID"] == "<cloud-spot-interrupt-7@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().strip() == "Größe: terminate"


def test_what_is_refused_for_now_is_sent_again_as_the_same_message(monitor: StartMonitor, post: StartPost) -> None:
    server = post()
    server.refusals = ["451 later", "452 too full"]
    outcome = handle(monitor(NAME, targets=[server.target()]))
    assert outcome["details"] == {f"1 email 127.0.0.1:{server.port}": "told (3 attempts)"}
    assert {parsed(content)["Message-ID"] for content in server.messages} == {"<cloud-spot-interrupt-7@example.com>"}


def test_what_is_refused_for_good_is_sent_once(monitor: StartMonitor, post: StartPost) -> None:
    server = post()
    server.refusals = ["554 no such thing here"]
    outcome = handle(monitor(NAME, targets=[server.target()]))
    assert outcome["succeeded"] is False
    assert "554 no such thing here" in outcome["message"]
    assert len(server.messages) == 1


def test_a_recipient_that_is_refused_is_told_and_the_others_get_it_once(monitor: StartMonitor, post: StartPost) -> None:
    server = post()
    server.refused_recipients = {"b@example.com": "550 nobody"}
    plugin = monitor(NAME, targets=[server.target(to=["a@example.com", "b@example.com"])])
    outcome = handle(plugin)
    assert outcome["succeeded"] is False
    assert "b@example.com refused" in outcome["message"]
    assert len(server.messages) == 1
    plugin.configure(targets=[server.target(to=["b@example.com"])])
    assert "b@example.com is refused: 550 nobody" in handle(plugin)["message"]


def test_a_wrong_password_is_said_once_and_without_the_password(monitor: StartMonitor, post: StartPost) -> None:
    server = post(auth_required=True)
    plugin = monitor(NAME, targets=[server.target(username=USER, password="wrong-one-99")])
    outcome = handle(plugin)
    assert outcome["succeeded"] is False
    assert "535" in outcome["message"]
    # One way of signing in after the other is tried, within one attempt.
    assert "attempts" not in outcome["message"]
    assert "wrong-one-99" not in json.dumps(outcome) + plugin.log()


def test_nobody_is_called_without_the_password_that_he_has_to_be_told(
    monitor: StartMonitor, post: StartPost, tmp_path: Path
) -> None:
    server = post(auth_required=True)
    outcome = handle(monitor(NAME, targets=[server.target(username=USER, password_file=str(tmp_path / "none"))]))
    assert "password_file" in outcome["message"]
    assert "attempts" not in outcome["message"]
    assert server.signed_in == []


def test_a_password_is_never_sent_to_who_does_not_speak_tls(monitor: StartMonitor, post: StartPost) -> None:
    server = post("none", auth_require_tls=False)
    plugin = monitor(NAME, targets=[server.target(username=USER, password=PASSWORD)])
    outcome = handle(plugin)
    assert outcome["succeeded"] is False
    assert "STARTTLS" in outcome["message"]
    assert (server.signed_in, server.messages) == ([], [])
    # Without one there is nothing to hide where that is said.
    plugin.configure(targets=[server.target(security="none")])
    assert handle(plugin)["succeeded"] is True


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_the_mail_server_is_held_to_its_certificate(
    monitor: StartMonitor, post: StartPost, tmp_path: Path, security: str
) -> None:
    server = post(security)
    target = server.target(security=security, username=USER, password=PASSWORD)
    del target["ca_file"]
    outcome = handle(monitor(NAME, targets=[target]))
    assert outcome["succeeded"] is False
    assert "certificate is not trusted" in outcome["message"]
    assert (server.signed_in, server.messages) == ([], [])


def test_no_header_comes_of_what_an_event_says(monitor: StartMonitor, post: StartPost) -> None:
    server = post()
    plugin = monitor(NAME, targets=[server.target()], subject="{data.note}")
    outcome = handle(plugin, id="a b\r\n>", data={"note": "one\r\nBcc: evil@example.com\r\n\r\nbody" + "x" * 500})
    assert outcome["succeeded"] is True, outcome
    [message] = map(parsed, server.messages)
    assert message["Bcc"] is None
    assert message["Subject"].startswith("one  Bcc: evil@example.com")
    assert "\n" not in message["Message-ID"]
