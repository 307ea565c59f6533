"""What the bus lets a plugin do is enough for it, and what is configured wrong is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from bus import ask, ask_all, gather, over_nats
from conftest import Start
from credentials import Authority, fleet_plugin_permissions, plugin_permissions
from nats.aio.client import Client
from support import EXAMPLE, serving


@pytest.mark.parametrize("host", ["web", None])
def test_credentials_of_its_role_are_enough(start: Start, tmp_path: Path, host: str | None) -> None:
    authority = Authority()
    name = "example-python"
    permissions = fleet_plugin_permissions(name) if host is None else plugin_permissions(host, name)
    credentials = authority.credentials(tmp_path / "plugin.creds", permissions)
    everything = authority.credentials(tmp_path / "all.creds", {"pub": {}, "sub": {}})

    async def scenario(client: Client) -> None:
        place = "fleet" if host is None else f"host.{host}"
        subject = f"snooze.v1.{place}.plugin.{name}.check_idle"
        assert (await ask(client, subject, {"metrics": {"cpu_usage": 1}}))["is_idle"] is True
        for verb in ("PING", "INFO", "STATS"):
            [one] = await gather(client, f"$SRV.{verb}", 1)
            [same] = await gather(client, f"$SRV.{verb}.{name}", 1)
            [again] = await gather(client, f"$SRV.{verb}.{name}.{one['id']}", 1)
            assert one["id"] == same["id"] == again["id"]

    with serving(tmp_path, authority.server_config()) as server:
        child = over_nats(start, EXAMPLE, server, host, SNOOZE_NATS_CREDENTIALS=str(credentials))
        ask_all(server, scenario, user_credentials=everything, inbox_prefix=f"_INBOX_host.{host or 'web'}")
        assert "violation" not in child.log().lower()


def test_one_that_may_not_hear_its_subjects_says_which_and_ends(start: Start, tmp_path: Path) -> None:
    authority = Authority()
    name = "example-python"
    others = plugin_permissions("web", "other")
    deaf = plugin_permissions("web", name)
    deaf["sub"]["deny"] = [f"snooze.v1.host.web.plugin.{name}.check_idle"]
    with serving(tmp_path, authority.server_config()) as server:
        for number, (permissions, methods) in enumerate(
            ((others, ("info", "check_idle", "shutdown")), (deaf, ("check_idle",)))
        ):
            credentials = authority.credentials(tmp_path / f"{number}.creds", permissions)
            child = start(
                EXAMPLE, SNOOZE_NATS_URL=server.url, SNOOZE_HOST="web", SNOOZE_NATS_CREDENTIALS=str(credentials)
            )
            assert child.process.wait() == 1
            log = child.log()
            for method in methods:
                assert f"snooze.v1.host.web.plugin.{name}.{method}" in log, log
            assert f"the credentials of the plugin {name} on web" in log
            assert "answering on" not in log
            assert "Traceback" not in log


def test_credentials_without_what_signs_for_them_say_what_to_install(start: Start, tmp_path: Path) -> None:
    credentials = Authority().credentials(tmp_path / "plugin.creds", plugin_permissions("web", "any"))
    # As where it is not installed.
    program = f'import sys\nsys.modules["nkeys"] = None\nexec(open({str(EXAMPLE)!r}).read())\n'
    child = start(program, SNOOZE_NATS_URL="nats://127.0.0.1:1", SNOOZE_NATS_CREDENTIALS=str(credentials))
    assert child.process.wait() == 1
    assert child.log().strip().endswith("nkeys is missing: pip install 'snooze-plugin[nats]'")
    assert "Traceback" not in child.log()


def test_what_is_configured_wrong_is_said_at_once(start: Start, tmp_path: Path) -> None:
    nothing = tmp_path / "empty.creds"
    nothing.write_text("no credentials")
    url = "nats://127.0.0.1:1"
    cases = [
        ({"SNOOZE_HOST": "a.b"}, "SNOOZE_HOST is 1 to 64 of"),
        ({"SNOOZE_HOST": "fleet"}, "SNOOZE_HOST is 1 to 64 of"),
        ({"SNOOZE_NATS_CREDENTIALS": str(tmp_path / "none")}, "No such file"),
        ({"SNOOZE_NATS_CREDENTIALS": str(nothing)}, "holds no credentials"),
    ]
    for environment, text in cases:
        child = start(EXAMPLE, SNOOZE_NATS_URL=url, **environment)
        assert child.process.wait() == 1
        assert text in child.log()
