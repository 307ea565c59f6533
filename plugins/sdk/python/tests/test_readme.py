"""What the README shows is run as it stands there."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

from conftest import Start
from support import ROOT, SDK

README = (SDK / "README.md").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_first_plugin_has_fifteen_lines_at_most() -> None:
    assert len(PYTHON[0].splitlines()) <= 15


def test_the_first_plugin_keeps_the_machine_up_while_jobs_wait_or_it_cannot_tell(start: Start, tmp_path: Path) -> None:
    assert "/var/spool/jobs" in PYTHON[0]
    spool = tmp_path / "spool"
    child = start(PYTHON[0].replace("/var/spool/jobs", str(spool)))
    assert child.ask("Info")["result"] == {"name": "jobs", "version": "1.0.0"}

    def vote() -> Any:
        return child.ask("CheckIdle", {"metrics": {}})

    assert "spool" in vote()["error"]
    spool.mkdir()
    assert vote()["result"] == {"is_idle": True, "reason": "no jobs wait", "details": {}}
    (spool / "one").touch()
    assert vote()["result"] == {"is_idle": False, "reason": "1 jobs wait", "details": {}}
    assert child.ask("HandleEvent")["error"] == "Unknown method: HandleEvent"
    assert child.end_of_input() == (0, b"")


def test_what_it_shows_of_configuration_and_events_holds(start: Start) -> None:
    configuration, events = PYTHON[1:]
    body = f"name = 'p'\ndef save(self, within): return within\n{configuration}\n{events}"
    child = start(f"from snooze_plugin import *\nclass P(Plugin):\n{textwrap.indent(body, '    ')}\nrun(P())\n")
    assert child.ask("Configure", {"config": {"threshold": 5}})["result"] == {"success": True}
    assert "threshold" in child.ask("Configure", {"config": {"threshold": 0}})["error"]
    assert child.ask("GetSupportedEvents")["result"] == {"events": ["cloud.spot.interrupt"]}
    event = {"id": "e", "type": "cloud.spot.interrupt", "left_ms": 2000}
    assert child.ask("HandleEvent", {"event": event})["result"]["details"] == {"files": 2}
    other = child.ask("HandleEvent", {"event": {**event, "type": "custom"}})["result"]
    assert other == {"handled": False, "succeeded": True, "message": "", "details": {}}


def test_its_headings_are_those_of_every_language() -> None:
    headings = re.findall(r"^## (.*)$", README, re.MULTILINE)
    expected = "A first plugin, Configuration, Events, Over NATS, Testing, What it never does"
    assert headings == expected.split(", ")


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    for link in links:
        assert (SDK / link).resolve().is_relative_to(ROOT)
        assert (SDK / link).exists(), link
