"""Asked of real Jupyter servers with real kernels."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_server_process import TOKEN, Jupyter

from official_fixtures import StartMonitor, StartServer
from official_support import answering, certificate, free_port, wait_until

NAME = "jupyter-monitor"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    one = Jupyter(tmp_path_factory.mktemp("jupyter"))
    yield one
    one.stop()


@pytest.fixture
def jupyter(shared: Jupyter) -> Iterator[Jupyter]:
    yield shared
    shared.clear()


@contextlib.contextmanager
def another(folder: Path, *options: str, **more: object) -> Iterator[Jupyter]:
    one = Jupyter(folder, *options, **more)  # type: ignore[arg-type]
    try:
        yield one
    finally:
        one.stop()


def server(jupyter: Jupyter, token: str = TOKEN) -> dict[str, str]:
    return {"url": jupyter.url, "token": token}


def test_a_kernel_that_computes_is_busy_though_nobody_is_connected(monitor: StartMonitor, jupyter: Jupyter) -> None:
    plugin = monitor(NAME, servers=[server(jupyter)], idle_minutes=0)
    assert plugin.is_idle()
    kernel = jupyter.kernel()
    wait_until("the kernel is idle", plugin.is_idle)
    assert plugin.vote()["details"]["kernels"] == 1
    jupyter.compute(kernel)
    vote = plugin.vote()
    assert (vote["is_idle"], vote["reason"], vote["details"]["kernels_busy"]) == (False, "1 kernels busy", 1)
    jupyter.interrupt(kernel)
    assert plugin.is_idle()


def test_a_kernel_is_in_use_until_it_was_quiet_for_long_enough(monitor: StartMonitor, jupyter: Jupyter) -> None:
    plugin = monitor(NAME, servers=[server(jupyter)])
    jupyter.kernel()
    vote = plugin.vote()
    assert (vote["is_idle"], vote["details"]["kernels_recent"]) == (False, 1)
    assert vote["reason"] == "1 kernels used within 15 minutes"
    plugin.configure(servers=[server(jupyter)], idle_minutes=0.01)
    wait_until("it was quiet for 0.6 s", plugin.is_idle)
    plugin.configure(servers=[server(jupyter)], idle_minutes=15)
    assert not plugin.is_idle()


def test_a_kernel_that_nobody_ever_connected_to_is_not_in_use_for_ever(monitor: StartMonitor, jupyter: Jupyter) -> None:
    plugin = monitor(NAME, servers=[server(jupyter)])
    jupyter.ask("POST", "kernels", {"name": "python3"})
    assert not plugin.is_idle()
    plugin.configure(servers=[server(jupyter)], idle_minutes=0.01)
    wait_until("it was quiet for 0.6 s", plugin.is_idle)


def test_a_terminal_is_in_use_until_it_was_quiet_for_long_enough(monitor: StartMonitor, jupyter: Jupyter) -> None:
    plugin = monitor(NAME, servers=[server(jupyter)])
    jupyter.ask("POST", "terminals")
    vote = plugin.vote()
    assert (vote["is_idle"], vote["details"]["terminals"], vote["details"]["terminals_recent"]) == (False, 1, 1)
    plugin.configure(servers=[server(jupyter)], idle_minutes=0.01)
    wait_until("it was quiet for 0.6 s", plugin.is_idle)
    plugin.configure(servers=[server(jupyter)], terminals=False)
    vote = plugin.vote()
    assert (vote["is_idle"], vote["details"]["terminals"]) == (True, 0)


def test_its_questions_are_no_activity_for_the_server(monitor: StartMonitor, jupyter: Jupyter) -> None:
    plugin = monitor(NAME, servers=[server(jupyter)])
    before = jupyter.ask("GET", "status?no_track_activity=1")["last_activity"]
    assert plugin.is_idle()
    assert jupyter.ask("GET", "status?no_track_activity=1")["last_activity"] == before


def test_a_wrong_token_is_unknown_and_not_shown(monitor: StartMonitor, jupyter: Jupyter, tmp_path: Path) -> None:
    plugin = monitor(NAME, servers=[server(jupyter, "hunter2")])
    assert "token or token_file has to hold the server's token" in plugin.fails()
    plugin.configure(servers=[{"url": jupyter.url}])
    assert "token or token_file has to hold the server's token" in plugin.fails()
    file = tmp_path / "token"
    plugin.configure(servers=[{"url": jupyter.url, "token_file": str(file)}])
    assert f"servers[0].token_file: {file} cannot be read" in plugin.fails()
    file.write_text("hunter2")
    assert "token or token_file has to hold the server's token" in plugin.fails()
    file.write_text(f"{TOKEN}\n")
    assert plugin.is_idle()
    assert "hunter2" not in plugin.log()


def test_a_server_is_found_by_the_file_that_it_writes(monitor: StartMonitor, jupyter: Jupyter) -> None:
    plugin = monitor(NAME, runtime_dirs=[str(jupyter.runtime)], idle_minutes=0)
    vote = plugin.vote()
    assert (vote["is_idle"], vote["details"]["servers"]) == (True, 1)
    jupyter.compute(jupyter.kernel())
    assert not plugin.is_idle()
    # It is asked once, where it is configured besides.
    plugin.configure(runtime_dirs=[str(jupyter.runtime)], servers=[server(jupyter)], idle_minutes=0)
    assert plugin.vote()["details"]["servers"] == 1


def test_a_file_of_a_server_that_was_killed_is_none_and_of_one_that_lives_it_is_unknown(
    monitor: StartMonitor, jupyter: Jupyter, tmp_path: Path
) -> None:
    plugin = monitor(NAME, runtime_dirs=[str(tmp_path)])
    vote = plugin.vote()
    assert (vote["is_idle"], vote["reason"]) == (True, "no Jupyter server runs")
    said = {"url": f"http://127.0.0.1:{free_port()}/", "token": "hunter2", "pid": 2**22 + 1}
    file = tmp_path / "jpserver-1.json"
    file.write_text(json.dumps(said))
    vote = plugin.vote()
    assert (vote["is_idle"], vote["details"]["servers_gone"]) == (True, 1)
    file.write_text(json.dumps({**said, "pid": jupyter.server.process.pid}))
    assert "is it running" in plugin.fails()
    # Whatever the number of its process: one that answers is there.
    file.write_text(json.dumps({**said, "url": f"{jupyter.url}/"}))
    assert "token" in plugin.fails()
    assert "hunter2" not in plugin.log()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"url": 5, "pid": 1}', '{"url": "http://x:hunter2/", "pid": 1}']
)
def test_a_file_that_no_server_wrote_is_unknown(monitor: StartMonitor, tmp_path: Path, text: str) -> None:
    plugin = monitor(NAME, runtime_dirs=[str(tmp_path)])
    (tmp_path / "jpserver-1.json").write_text(text)
    assert f"{tmp_path}/jpserver-1.json is not what a Jupyter server writes" in plugin.fails()
    assert "hunter2" not in plugin.log()


def test_a_folder_that_is_not_there_is_unknown(monitor: StartMonitor, tmp_path: Path) -> None:
    plugin = monitor(NAME, runtime_dirs=[str(tmp_path / "gone")])
    assert "jupyter --runtime-dir says where it is" in plugin.fails()


def test_of_several_servers_one_that_fails_is_unknown_unless_another_is_busy(
    monitor: StartMonitor, jupyter: Jupyter
) -> None:
    down = {"url": f"http://127.0.0.1:{free_port()}"}
    plugin = monitor(NAME, servers=[down, server(jupyter)], idle_minutes=0)
    assert down["url"] in plugin.fails()
    jupyter.compute(jupyter.kernel())
    vote = plugin.vote()
    assert (vote["is_idle"], vote["details"]["failures"]) == (False, 1)


def test_a_server_that_hangs_is_unknown_within_its_time_and_delays_no_other(
    monitor: StartMonitor, jupyter: Jupyter, tmp_path: Path
) -> None:
    with another(tmp_path) as other:
        plugin = monitor(NAME, servers=[server(jupyter), server(other)], idle_minutes=0)
        assert plugin.is_idle()
        with jupyter.server.stopped():
            for _ in range(2):
                assert "it hangs" in plugin.fails()
            other.compute(other.kernel())
            assert not plugin.is_idle()
    plugin.configure(servers=[server(jupyter)])
    wait_until("it answers again", plugin.is_idle)


def test_many_servers_that_hang_are_asked_at_once(monitor: StartMonitor) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        plugin = monitor(NAME, servers=[{"url": f"{url}/{place}"} for place in range(16)])
        for _ in range(2):
            said = plugin.fails()
            assert "it hangs" in said
            assert "(and 15 more)" in said


def test_a_server_that_is_down_is_unknown_and_asked_again_when_it_is_back(
    monitor: StartMonitor, tmp_path: Path
) -> None:
    with another(tmp_path) as one:
        plugin = monitor(NAME, servers=[server(one)])
        assert plugin.is_idle()
        port = one.port
    assert "is it running" in plugin.fails()
    with another(tmp_path, port=port):
        assert plugin.is_idle()


def test_without_terminals_a_server_is_asked_for_kernels_alone(monitor: StartMonitor, tmp_path: Path) -> None:
    with another(tmp_path, "--ServerApp.terminals_enabled=False") as one:
        one.clear = lambda: None  # type: ignore[method-assign] # It has none to be cleared.
        vote = monitor(NAME, servers=[server(one)]).vote()
        assert (vote["is_idle"], vote["details"]["terminals"]) == (True, 0)


def test_tls_is_held_to_its_certificate(monitor: StartMonitor, tmp_path: Path) -> None:
    for name in ("server", "stranger"):
        certificate(tmp_path, name)
    options = (f"--ServerApp.certfile={tmp_path}/server.crt", f"--ServerApp.keyfile={tmp_path}/server.key")
    with another(tmp_path, *options, ca_file=tmp_path / "server.crt") as one:
        plugin = monitor(NAME, servers=[server(one)], ca_file=f"{tmp_path}/server.crt")
        assert plugin.is_idle()
        plugin.configure(runtime_dirs=[str(one.runtime)], ca_file=f"{tmp_path}/server.crt")
        assert plugin.vote()["details"]["servers"] == 1
        for file in ("stranger.crt", "gone.crt"):
            plugin.configure(servers=[server(one)], ca_file=f"{tmp_path}/{file}")
            assert "ca_file" in plugin.fails()
        plugin.configure(servers=[server(one)])
        assert "certificate verify failed" in plugin.fails()


@pytest.mark.parametrize(
    "words",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[nope",
        b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n[{\"id\": \"one\"}]",
        b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n[",
    ],
)  # fmt: skip
def test_what_is_no_jupyter_server_is_unknown(monitor: StartMonitor, words: bytes) -> None:
    with answering(words) as port:
        assert (
            f"Jupyter at http://127.0.0.1:{port}: "
            in monitor(NAME, servers=[{"url": f"http://127.0.0.1:{port}"}]).fails()
        )


def test_a_reconfiguration_holds_at_once_or_is_refused_whole(monitor: StartMonitor, jupyter: Jupyter) -> None:
    plugin = monitor(NAME, servers=[server(jupyter)])
    jupyter.kernel()
    assert not plugin.is_idle()
    plugin.configure(servers=[server(jupyter)], idle_minutes=0)
    wait_until("only kernels that compute are in use", plugin.is_idle)
    refused: dict[str, dict[str, object]] = {
        "idle_minutes": {"idle_minutes": -1},
        "terminals": {"terminals": "yes"},
        "servers[0].url": {"servers": [{"url": f"{jupyter.url}/?token=hunter2"}]},
        "servers[0].url is": {"servers": [{"url": "http://u:hunter2@localhost"}]},
        "servers[1].url": {"servers": [server(jupyter), {"token": "hunter2"}]},
        "servers[0].token is": {"servers": [{"url": jupyter.url, "token": 5}]},
        "servers[0].token_file": {"servers": [{**server(jupyter, "hunter2"), "token_file": "/etc/hostname"}]},
        "servers[0].tokn": {"servers": [{"url": jupyter.url, "tokn": "hunter2"}]},
        "servers are at most": {"servers": [server(jupyter)] * 17},
        "runtime_dirs[0]": {"runtime_dirs": ["here"]},
        "ca_file": {"ca_file": "here"},
        "idle_minuts is not known; idle_minutes": {"idle_minuts": 5},
    }
    for field, config in refused.items():
        refusal = plugin.refuses(**{"servers": [server(jupyter)], **config})
        assert refusal.startswith(field), refusal
        assert "hunter2" not in refusal + plugin.log()
        assert plugin.is_idle()


def test_a_server_on_a_unix_socket_is_asked(monitor: StartMonitor, serve: StartServer, tmp_path: Path) -> None:
    path, runtime = tmp_path / "socket", tmp_path / "runtime"
    one = serve(
        sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--ServerApp.sock={path}",
        f"--IdentityProvider.token={TOKEN}", cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "JUPYTER_RUNTIME_DIR": str(runtime)},
    )  # fmt: skip
    one.ready("Jupyter listens", lambda: any(runtime.glob("jpserver-*.json")))
    plugin = monitor(NAME, runtime_dirs=[str(runtime)])
    vote = plugin.vote()
    assert (vote["is_idle"], vote["details"]["servers"]) == (True, 1)
    plugin.configure(servers=[{"url": f"http+unix://{str(path).replace('/', '%2F')}", "token": TOKEN}])
    assert plugin.is_idle()
    one.close()
    assert "Connection refused; is it running" in plugin.fails()
