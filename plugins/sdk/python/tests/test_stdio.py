"""The lines on standard input and output, asked of real child processes."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from conftest import Start
from support import EXAMPLE, wait_until

from snooze_plugin._stdio import LINE_LIMIT

HEAD = "from snooze_plugin import *\nimport os, sys, subprocess, time\n"


def plugin(body: str, tail: str = "run(P())\n") -> str:
    """A program whose plugin has this body."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return f"{HEAD}class P(Plugin):\n    name = 'p'\n{lines}{tail}"


IDLE = "def check_idle(self, metrics): return Idle()"


def test_the_example_votes_by_its_threshold(start: Start) -> None:
    example = start(EXAMPLE)
    info = example.ask("Info")["result"]
    assert (info["name"], info["version"]) == ("example-python", "1.0.0")
    assert example.ask("Configure", {"config": {}})["result"] == {"success": True}
    assert example.ask("Initialize")["result"] == {"success": True}
    assert example.ask("GetSupportedEvents")["result"] == {"events": ["custom"]}
    idle = example.ask("CheckIdle", {"metrics": {"cpu_usage": 1.5}}, 12345)
    assert idle == {
        "result": {"is_idle": True, "reason": "cpu at 1.5 %, below 10 %", "details": {"cpu_usage": 1.5}},
        "id": 12345,
    }
    busy = example.ask("CheckIdle", {"metrics": {"cpu_usage": 10}})
    assert busy["result"] == {"is_idle": False, "reason": "cpu at 10 %", "details": {"cpu_usage": 10}}
    assert example.ask("Shutdown")["result"] == {"success": True}
    assert example.end_of_input() == (0, b"")
    assert example.log().count("noise") == 2


@pytest.mark.parametrize("threshold", [0, -1, "10", True, None, [1]])
def test_a_bad_configuration_is_refused_and_the_old_one_stays(start: Start, threshold: object) -> None:
    example = start(EXAMPLE)
    assert example.ask("Configure", {"config": {"threshold": 50}})["result"] == {"success": True}
    assert "threshold" in example.ask("Configure", {"config": {"threshold": threshold}})["error"]
    assert example.ask("CheckIdle", {"metrics": {"cpu_usage": 49}})["result"]["is_idle"] is True


def test_an_unknown_reading_is_an_error_and_never_idle(start: Start) -> None:
    example = start(EXAMPLE)
    for metrics in ({"cpu_usage": None}, {}):
        assert example.ask("CheckIdle", {"metrics": metrics}) == {"error": "cpu_usage is unknown", "id": 7}
    assert example.ask("CheckIdle", {"metrics": {"cpu_usage": "low"}})["error"] == "cpu_usage is no number"
    assert example.ask("CheckIdle", {"metrics": {"cpu_usage": False}})["error"] == "cpu_usage is no number"


def test_the_example_handles_custom_events(start: Start) -> None:
    example = start(EXAMPLE)
    event = {"id": "e1", "type": "custom.backup", "severity": 1, "data": {"path": "/a"}, "left_ms": 1000}
    result = {"handled": True, "succeeded": True, "message": "seen e1", "details": {"path": "/a"}}
    assert example.ask("HandleEvent", {"event": event})["result"] == result
    failing = example.ask("HandleEvent", {"event": {**event, "data": {"fail": True}}})["result"]
    assert (failing["handled"], failing["succeeded"]) == (True, False)
    assert example.ask("HandleEvent", {"event": {**event, "type": "customs"}})["result"]["handled"] is False
    assert "id" in example.ask("HandleEvent", {"event": {"type": "custom"}})["error"]


def test_nothing_but_answers_reaches_standard_output(start: Start) -> None:
    noisy = """
def check_idle(self, metrics):
    print("noise of print")
    os.write(1, b"noise of an extension\\n")
    os.system("echo noise of a child")
    subprocess.run(["sh", "-c", "echo noise of descriptors >&3; echo noise >&4; echo noise >&5; cat"], close_fds=False)
    return Busy(input() if False else "")
"""
    child = start(plugin(noisy, "print('noise before')\nrun(P())\nprint('noise after')\n"))
    assert child.ask("CheckIdle")["result"]["is_idle"] is False
    assert child.ask("CheckIdle")["result"]["is_idle"] is False
    assert child.end_of_input() == (0, b"")
    for noise in ("before", "of print", "of an extension", "of a child", "after"):
        assert f"noise {noise}\n" in child.log()
    assert "noise of descriptors\n" not in child.log()


def test_a_child_of_the_plugin_takes_no_request_away(start: Start) -> None:
    child = start(plugin("def check_idle(self, metrics): return Idle(os.popen('cat').read() + sys.stdin.read())"))
    child.say(b'{"method":"CheckIdle","params":{},"id":1}\n{"method":"CheckIdle","params":{},"id":2}\n')
    assert [child.hear()["id"], child.hear()["id"]] == [1, 2]


@pytest.mark.parametrize(
    "line",
    [b"x", b"", b"{", b"[]", b'"text"', b"\xff\xfe", b'{"id":NaN,"method":"Info"}', b"[" * 100_000, b'{"id":[1]}'],
)
def test_bad_json_is_answered_with_the_id_null_and_the_process_goes_on(start: Start, line: bytes) -> None:
    child = start(plugin(IDLE))
    child.say(line + b"\n")
    answer = child.hear()
    assert answer["id"] is None
    assert answer["error"]
    assert child.ask("CheckIdle")["result"]["is_idle"] is True


def test_lines_up_to_one_mebibyte_are_read_and_longer_ones_refused(start: Start) -> None:
    child = start(plugin(IDLE))
    begin, end = b'{"method":"CheckIdle","id":1,"x":"', b'"}'
    for over, is_read in ((0, True), (1, False), (2, False), (3 * LINE_LIMIT, False)):
        filling = b"a" * (LINE_LIMIT + over - len(begin) - len(end))
        child.say(begin + filling + end + b"\n")
        answer = child.hear()
        assert ("result" in answer) is is_read, over
        assert is_read or (answer["id"] is None and "longer" in answer["error"])
    assert child.ask("Info")["result"]["name"] == "p"


def test_an_answer_that_nobody_could_read_is_an_error(start: Start) -> None:
    cases = "'a' * 2**21", "float('nan')", "object()", "{1, 2}"
    body = f"""
def check_idle(self, metrics):
    values = [{", ".join(f"lambda: {case}" for case in cases)}]
    return Idle("", {{"value": values[int(metrics.cpu_usage)]()}})
"""
    child = start(plugin(body))
    for case in range(len(cases)):
        answer = child.ask("CheckIdle", {"metrics": {"cpu_usage": case}})
        assert list(answer) == ["error", "id"], cases[case]
        assert answer["id"] == 7


def test_a_name_that_is_no_unicode_can_be_shown(start: Start) -> None:
    child = start(plugin("def check_idle(self, metrics): return Busy(os.fsdecode(b'open: \\xff'))"))
    assert child.ask("CheckIdle")["result"]["reason"] == "open: ?"


def test_json_rpc_is_answered_in_its_form(start: Start) -> None:
    child = start(plugin("def check_idle(self, metrics): raise ValueError('no database')"))
    info = child.ask("Info", jsonrpc="2.0")
    assert (info["jsonrpc"], info["id"], info["result"]["name"]) == ("2.0", 7, "p")
    unknown = child.ask("Foo", jsonrpc="2.0")
    error = {"code": -32601, "message": "Unknown method: Foo"}
    assert unknown == {"jsonrpc": "2.0", "error": error, "id": 7}
    failed = child.ask("CheckIdle", jsonrpc="2.0", request_id="a")
    assert failed == {"jsonrpc": "2.0", "error": {"code": -32000, "message": "no database"}, "id": "a"}
    params = child.ask("CheckIdle", [], jsonrpc="2.0")
    assert params["error"]["code"] == -32602
    child.say(b"{\n")
    assert child.hear()["error"]["code"] == -32700
    # A notification has no answer; what comes next is the answer to the next.
    for method in (b"Info", b"Foo", b"CheckIdle"):
        child.say(b'{"jsonrpc":"2.0","method":"' + method + b'"}\n')
    assert child.ask("Info", request_id=9)["id"] == 9
    assert child.ask("Foo") == {"error": "Unknown method: Foo", "id": 7}


def test_a_method_that_was_not_written_is_unknown(start: Start) -> None:
    voter = start(plugin(IDLE))
    assert voter.ask("HandleEvent")["error"] == "Unknown method: HandleEvent"
    assert voter.ask("GetSupportedEvents")["result"] == {"events": []}
    handler = start(plugin("events = ['custom']\ndef handle_event(self, event): return NotHandled()"))
    assert handler.ask("CheckIdle")["error"] == "Unknown method: CheckIdle"
    assert handler.ask("GetSupportedEvents")["result"] == {"events": ["custom"]}


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("raise ValueError('a' * 5000)", "a" * 500),
        ("raise KeyError('uri')", "KeyError: 'uri'"),
        ("raise ValueError", "ValueError"),
        ("sys.exit(3)", "SystemExit: 3"),
        ("import asyncio; raise asyncio.CancelledError", "CancelledError"),
        # Else a database that says so would take the vote away.
        ("raise RuntimeError('Unknown method: CheckIdle')", "RuntimeError: Unknown method: CheckIdle"),
        ("return True", "check_idle returned bool in place of Idle or Busy"),
        ("return {'is_idle': True}", "check_idle returned dict in place of Idle or Busy"),
        ("return None", "check_idle returned NoneType in place of Idle or Busy"),
        ("return Idle", "check_idle returned type in place of Idle or Busy"),
        ("return Idle('', None)", "'NoneType' object is not iterable"),
        ("return Handled()", "check_idle returned Handled in place of Idle or Busy"),
    ],
)
def test_what_goes_wrong_is_an_error_and_never_idle(start: Start, statement: str, text: str) -> None:
    child = start(plugin(f"def check_idle(self, metrics): {statement}"))
    assert child.ask("CheckIdle") == {"error": text, "id": 7}
    assert child.ask("Info")["result"]["name"] == "p"


def test_the_traceback_stands_on_standard_error(start: Start) -> None:
    child = start(plugin("def check_idle(self, metrics): return 1 / 0"))
    assert child.ask("CheckIdle")["error"] == "division by zero"
    assert "Traceback" in child.log()
    assert "line 5, in check_idle" in child.log()


def test_what_goes_wrong_again_and_again_is_told_once(start: Start) -> None:
    child = start(plugin("def check_idle(self, metrics): return 1 / metrics.cpu_usage"))
    for cpu_usage, told in ((0, 1), (0, 1), (None, 2), (None, 2), (0, 3)):
        assert "error" in child.ask("CheckIdle", {"metrics": {"cpu_usage": cpu_usage}})
        assert child.log().count("Traceback") == told


def test_async_methods_keep_one_loop(start: Start) -> None:
    body = """
async def initialize(self):
    global asyncio
    import asyncio
    self.loop = asyncio.get_running_loop()
async def check_idle(self, metrics):
    await asyncio.sleep(0)
    return Idle() if self.loop is asyncio.get_running_loop() else Busy()
async def shutdown(self): sys.stderr.write("closed\\n")
"""
    child = start(plugin(body))
    assert child.ask("CheckIdle")["result"]["is_idle"] is True
    assert child.ask("CheckIdle")["result"]["is_idle"] is True
    assert child.end_of_input()[0] == 0
    assert child.log() == "closed\n"


def test_initialize_comes_once_before_the_first_question_and_shutdown_once_at_the_end(start: Start) -> None:
    body = """
def initialize(self): sys.stderr.write("begun\\n")
def check_idle(self, metrics): return Idle()
def shutdown(self): sys.stderr.write("ended\\n")
"""
    asked, unasked = start(plugin(body)), start(plugin(body))
    asked.ask("Initialize")
    for child in (asked, unasked):
        child.ask("CheckIdle")
        child.ask("CheckIdle")
    asked.ask("Shutdown")
    for child in (asked, unasked):
        assert child.end_of_input()[0] == 0
        assert child.log() == "begun\nended\n"


def test_an_initialization_that_failed_is_tried_again(start: Start) -> None:
    body = """
count = 0
def initialize(self):
    self.count += 1
    if self.count == 1: raise OSError("no database yet")
def check_idle(self, metrics): return Idle()
"""
    child = start(plugin(body))
    assert child.ask("CheckIdle")["error"] == "no database yet"
    assert child.ask("CheckIdle")["result"]["is_idle"] is True


def test_sigterm_ends_it_in_order(start: Start, tmp_path: Path) -> None:
    body = """
def initialize(self): sys.stderr.write("begun\\n")
def check_idle(self, metrics):
    sys.stderr.write("asked\\n")
    while not os.path.exists(os.environ["GO"]): time.sleep(0.005)
    return Idle()
def shutdown(self): sys.stderr.write("ended\\n")
"""
    go = tmp_path / "go"
    waiting, working = (start(plugin(body), GO=str(go)) for _ in range(2))
    waiting.ask("Initialize")
    waiting.process.send_signal(signal.SIGTERM)
    # What is under way is answered first.
    working.say(b'{"method":"CheckIdle","id":1}\n')
    wait_until("it works", lambda: "asked" in working.log())
    working.process.send_signal(signal.SIGTERM)
    go.touch()
    assert working.hear()["result"]["is_idle"] is True
    for child in (waiting, working):
        assert child.process.wait() == 0
        assert child.log().endswith("ended\n")


def test_it_ends_where_nobody_reads_its_answers(start: Start) -> None:
    child = start(plugin(IDLE))
    assert child.process.stdout is not None
    child.process.stdout.close()
    child.say(b'{"method":"CheckIdle","id":1}\n')
    assert child.process.wait() == 0
    assert child.log() == ""


@pytest.mark.parametrize(
    ("program", "text"),
    [
        (plugin("pass"), "P has neither check_idle nor handle_event"),
        (plugin(f"name = 'A b'\n{IDLE}"), "name is 1 to 64 of a-z 0-9 -"),
        (plugin(f"name = 'cpu'\n{IDLE}"), "not a built-in voter's"),
        (plugin(f"version = '1.0'\n{IDLE}"), "a semantic version"),
        (plugin(IDLE, "run(P)\n"), "run takes an instance of a Plugin"),
    ],
)
def test_a_plugin_that_could_never_be_asked_is_refused_at_once(start: Start, program: str, text: str) -> None:
    child = start(program)
    assert child.end_of_input() == (1, b"")
    assert text in child.log()


def test_no_client_and_no_event_loop_is_loaded_without_need(start: Start) -> None:
    child = start(
        plugin("def check_idle(self, metrics): return Busy(str('nats' in sys.modules or 'msgpack' in sys.modules))")
    )
    assert child.ask("CheckIdle")["result"]["reason"] == "False"
