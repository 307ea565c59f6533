"""What failures of any server mean, and what is done about them."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from snooze_monitor import SettingsError, advice, is_fenced, is_unresolved
from snooze_monitor.failure import MEMORY_LIMIT_BYTES

TOOLS = Path(__file__).resolve().parents[1]


def test_what_the_fence_refuses_is_seen_through_what_it_is_wrapped_in() -> None:
    outer = RuntimeError("cannot connect")
    outer.__context__ = PermissionError(13, "Permission denied")
    assert is_fenced(outer)
    assert not is_fenced(ConnectionRefusedError(111, "Connection refused"))
    assert not is_fenced(ssl.SSLError(1, "certificate verify failed"))


def test_a_name_that_was_not_found_is_seen_through_what_it_is_wrapped_in() -> None:
    outer = RuntimeError("cannot connect")
    outer.__context__ = socket.gaierror(-3, "Temporary failure in name resolution")
    assert is_unresolved(outer)
    assert not is_unresolved(ConnectionRefusedError(111, "Connection refused"))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (SettingsError("token_file: it is empty"), "token_file: it is empty"),
        (PermissionError(13, "Permission denied"), "permissions.tcp has to name the port"),
        (socket.gaierror(-3, "Temporary failure"), "takes permissions.udp"),
        (TimeoutError("no answer within 3.5 s"), "no answer within 3.5 s; it hangs"),
        (MemoryError(), "does not fit into memory"),
    ],
)
def test_each_failure_of_any_server_says_what_to_do_and_others_are_their_plugins_own(
    error: BaseException, says: str
) -> None:
    outer = error if isinstance(error, SettingsError) else RuntimeError(str(error))
    outer.__cause__ = None if outer is error else error
    assert says in (advice(outer) or "")
    assert advice(ValueError("something else")) is None


PROGRAM = """
import resource
import snooze_monitor
snooze_monitor.bound_memory()
print(resource.getrlimit(resource.RLIMIT_DATA)[0])
try:
    bytearray(1 << 30)
except MemoryError:
    print("too much")
"""


@pytest.mark.parametrize(("before", "after"), [("unlimited", MEMORY_LIMIT_BYTES), ("100000000", 100_000_000)])
def test_what_is_too_much_is_an_error_and_a_bound_that_is_there_stays(before: str, after: int) -> None:
    environment = {"PYTHONPATH": str(TOOLS), "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["prlimit", f"--data={before}", sys.executable, "-c", PROGRAM]
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert said.split("\n", 1) == [str(after), "too much\n"]
