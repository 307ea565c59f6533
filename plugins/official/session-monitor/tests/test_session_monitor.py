"""Asked while real sessions are there: of OpenSSH, tmux and screen, each at a terminal of its own.

Whoever runs the tests may have sessions, too, so each test looks for its own.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ssh_and_terminals import HOUR, Sshd, at_a_terminal, never_typed

from official_fixtures import StartMonitor, StartServer
from official_support import Monitor, Server, wait_until
from session_monitor.processes import HiddenError, read_all
from session_monitor.terminals import name_of

NAME = "session-monitor"


def sessions(plugin: Monitor, kind: str) -> list[dict[str, Any]]:
    """Those of a kind, after a look at whether the vote is what they say."""
    vote = plugin.vote()
    details = vote["details"]
    assert vote["is_idle"] == (details["sessions_in_use"] == 0)
    return [session for session in details["list"] if session["kind"] == kind]


def at(plugin: Monitor, kind: str, terminal: str) -> dict[str, Any] | None:
    return next((session for session in sessions(plugin, kind) if session["terminal"] == terminal), None)


def of(plugin: Monitor, kind: str, pid: int) -> dict[str, Any] | None:
    return next((session for session in sessions(plugin, kind) if session["pid"] == pid), None)


@pytest.fixture
def sshd(serve: StartServer) -> Iterator[Sshd]:
    # Below /tmp itself: what tests have may be closed to the account that the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="snooze-sshd-", dir="/tmp"))
    try:
        yield Sshd(serve, folder)
    finally:
        shutil.rmtree(folder)


def test_an_ssh_session_is_in_use_until_nothing_was_typed_for_long_enough(monitor: StartMonitor, sshd: Sshd) -> None:
    plugin = monitor(NAME)

    def new() -> list[dict[str, Any]]:
        return [found for found in sessions(plugin, "ssh") if sshd.has(found["pid"])]

    with at_a_terminal(*sshd.command("-tt", sshd.address, "cat")):
        wait_until("the session has a terminal", lambda: any(found["terminal"] for found in new()))
        [session] = new()
        assert session["in_use"] is True
        never_typed(session["terminal"])
        [session] = new()
        assert (session["in_use"], session["idle_seconds"] >= HOUR) == (False, True)
        # As long as it is there.
        plugin.configure(idle_minutes=0)
        assert new()[0]["in_use"] is True
        plugin.configure(ignored_users=[sshd.user])
        assert new() == []
        plugin.configure(ssh=False)
        assert sessions(plugin, "ssh") == []
        plugin.configure()
    wait_until("the session is over", lambda: new() == [])


def test_an_ssh_session_without_a_terminal_is_in_use_as_long_as_it_is_there(monitor: StartMonitor, sshd: Sshd) -> None:
    plugin = monitor(NAME)

    def new() -> list[dict[str, Any]]:
        return [found for found in sessions(plugin, "ssh") if sshd.has(found["pid"])]

    for words in (("-T", sshd.address, "cat"), ("-N", sshd.address)):
        client = subprocess.Popen(sshd.command(*words), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        try:
            wait_until("the session is there", lambda: len(new()) == 1)
            [session] = new()
            assert (session["terminal"], session["idle_seconds"], session["in_use"]) == (None, None, True)
        finally:
            client.kill()
            client.communicate()
        wait_until("the session is over", lambda: new() == [])


def test_a_connection_that_has_not_signed_in_is_no_session(monitor: StartMonitor, sshd: Sshd) -> None:
    plugin = monitor(NAME)
    with socket.create_connection(("127.0.0.1", sshd.port)) as connection:
        assert connection.recv(4) == b"SSH-"
        assert not [found for found in sessions(plugin, "ssh") if sshd.has(found["pid"])]


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[list[str]]:
    """A server of its own with one session, to which nobody is attached."""
    command = ["tmux", "-f", "/dev/null", "-S", str(tmp_path / "tmux")]
    subprocess.run([*command, "new-session", "-d", "cat"], check=True)
    yield command
    subprocess.run([*command, "kill-server"], check=True)


def test_a_tmux_client_is_in_use_until_nothing_was_typed_for_long_enough(
    monitor: StartMonitor, tmux: list[str]
) -> None:
    plugin = monitor(NAME)
    with at_a_terminal(*tmux, "attach") as terminal:
        wait_until("the client is attached", lambda: at(plugin, "tmux", terminal) is not None)
        never_typed(terminal, 0)
        session = at(plugin, "tmux", terminal)
        assert session is not None
        assert (session["in_use"], session["user"]) == (True, pwd.getpwuid(os.geteuid()).pw_name)
        never_typed(terminal)
        session = at(plugin, "tmux", terminal)
        assert session is not None
        assert session["in_use"] is False
        plugin.configure(tmux=False)
        assert sessions(plugin, "tmux") == []
        plugin.configure()
    wait_until("the client is gone", lambda: at(plugin, "tmux", terminal) is None)


def test_a_detached_tmux_counts_only_where_that_is_configured(monitor: StartMonitor, tmux: list[str]) -> None:
    said = subprocess.run([*tmux, "list-panes", "-F", "#{pid} #{pane_tty}"], check=True, capture_output=True, text=True)
    pid, pane = int(said.stdout.split()[0]), said.stdout.split()[1][len("/dev/") :]
    plugin = monitor(NAME)
    assert "tmux_detached" not in plugin.vote()["details"]
    plugin.configure(tmux_detached=True)
    never_typed(pane, 0)
    session = of(plugin, "tmux_detached", pid)
    assert session is not None
    assert session["in_use"] is True
    never_typed(pane)
    session = of(plugin, "tmux_detached", pid)
    assert session is not None
    assert session["in_use"] is False
    # What is shown there is a sign of life, too.
    subprocess.run([*tmux, "send-keys", "a", "Enter"], check=True)
    wait_until("it is in use", lambda: bool((of(plugin, "tmux_detached", pid) or {}).get("in_use")))


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A session of its own, to which nobody is attached: its name, and its process."""
    folder = tmp_path / "screen"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("SCREENDIR", str(folder))
    subprocess.run(["screen", "-dmS", "law", "cat"], check=True)
    wait_until("screen is there", lambda: any(folder.iterdir()))
    [socket_file] = folder.iterdir()
    yield "law", int(socket_file.name.split(".")[0])
    subprocess.run(["screen", "-S", "law", "-X", "quit"], check=True)


def test_a_screen_client_is_in_use_until_nothing_was_typed_for_long_enough(
    monitor: StartMonitor, screen: tuple[str, int]
) -> None:
    plugin = monitor(NAME)
    with at_a_terminal("env", f"SCREENDIR={os.environ['SCREENDIR']}", "screen", "-r", screen[0]) as terminal:
        wait_until("the client is attached", lambda: at(plugin, "screen", terminal) is not None)
        never_typed(terminal, 0)
        session = at(plugin, "screen", terminal)
        assert session is not None
        assert session["in_use"] is True
        never_typed(terminal)
        session = at(plugin, "screen", terminal)
        assert session is not None
        assert session["in_use"] is False
    wait_until("the client is gone", lambda: at(plugin, "screen", terminal) is None)


def test_a_detached_screen_counts_only_where_that_is_configured(monitor: StartMonitor, screen: tuple[str, int]) -> None:
    plugin = monitor(NAME)
    assert "screen_detached" not in plugin.vote()["details"]
    plugin.configure(screen_detached=True)
    session = of(plugin, "screen_detached", screen[1])
    assert session is not None
    assert session["in_use"] is True
    [pane] = [name_of(process.terminal) for process in read_all() if process.parent == screen[1]]
    assert pane is not None
    never_typed(pane)
    session = of(plugin, "screen_detached", screen[1])
    assert session is not None
    assert session["in_use"] is False


@pytest.mark.parametrize(
    ("place", "is_one"),
    [
        ("/home/ann/.vscode-server/cli/servers/Stable-0123/server/out/bootstrap-fork", True),
        ("/home/ann/.cursor-server/bin/0123/out/bootstrap-fork", True),
        ("/usr/lib/code-server/lib/vscode/out/bootstrap-fork", True),
        ("/usr/share/code/resources/app/out/bootstrap-fork", False),
    ],
)
def test_a_window_of_vs_codes_server_is_in_use_as_long_as_it_is_there(
    monitor: StartMonitor, serve: StartServer, place: str, is_one: bool
) -> None:
    # The server itself is no package of a registry: a process with its arguments stands in for it.
    window = serve("python3", "-c", "input()", place, "--type=extensionHost", stdin=subprocess.PIPE)
    other = serve("python3", "-c", "input()", place, "--type=fileWatcher", stdin=subprocess.PIPE)
    plugin = monitor(NAME)
    wait_until("both run", lambda: all(place in _arguments(one) for one in (window, other)))
    assert (of(plugin, "vscode", window.process.pid) is not None) == is_one
    assert of(plugin, "vscode", other.process.pid) is None
    if is_one:
        assert (of(plugin, "vscode", window.process.pid) or {})["in_use"] is True
        plugin.configure(vscode=False)
        assert sessions(plugin, "vscode") == []


def _arguments(server: Server) -> str:
    return Path(f"/proc/{server.process.pid}/cmdline").read_text()


def test_processes_that_cannot_be_seen_are_an_error(tmp_path: Path) -> None:
    # As /proc is with hidepid=2, and where it is not granted.
    (tmp_path / "4711").mkdir()
    with pytest.raises(HiddenError, match="hides others' processes"):
        read_all(tmp_path)
    with pytest.raises(HiddenError, match="cannot be read"):
        read_all(tmp_path / "gone")


def test_a_process_may_be_called_as_it_likes(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    folder.mkdir()
    (folder / "stat").write_text("1 (a) b) S (x) S 5 1 1 34819 1 4194560")
    (folder / "cmdline").write_bytes(b"")
    [process] = read_all(tmp_path)
    assert (process.name, process.parent, process.terminal, process.arguments) == ("a) b) S (x", 5, 34819, ("",))
    assert name_of(process.terminal) == "pts/3"
    assert name_of(137 << 8 | 7) == "pts/263"
    assert (name_of(4 << 8 | 1), name_of(4 << 8 | 64), name_of(0)) == ("tty1", "ttyS0", None)


def test_a_reconfiguration_is_refused_whole_with_the_fields_name(monitor: StartMonitor) -> None:
    plugin = monitor(NAME, tmux_detached=True)
    refused: dict[str, dict[str, object]] = {
        "ssh": {"ssh": "yes"},
        "idle_minutes": {"idle_minutes": -1},
        "ignored_users[0]": {"ignored_users": [5]},
        "tmux_detatched is not known; tmux_detached": {"tmux_detatched": True},
    }
    for field, config in refused.items():
        assert plugin.refuses(**config).startswith(field)
        assert "tmux_detached" in plugin.vote()["details"]
