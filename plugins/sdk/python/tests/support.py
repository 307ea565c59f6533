"""Starts what tests talk to: plugins as child processes, and real nats-servers on loopback. Each is ended by its id."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

SDK = Path(__file__).resolve().parent.parent
ROOT = SDK.parent.parent.parent
EXAMPLE = SDK / "example" / "example.py"

LIMIT_SECONDS = 30.0
"""No wait of a test is longer: a hundred times what the slowest needs on a busy machine."""


def wait_until(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true in {LIMIT_SECONDS} s"
        time.sleep(0.005)


class Child:
    """A plugin as a child process, as a runner starts it: with nothing but PATH, LANG and HOME, and more if asked."""

    def __init__(self, program: Path, log: Path, environment: dict[str, str] | None = None) -> None:
        self._log = log
        bare = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(log.parent)}
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, str(program)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**bare, "PYTHONPATH": str(SDK), **(environment or {})},
            )
        # What hangs is ended, and then read as an end.
        self._watchdog = threading.Timer(LIMIT_SECONDS, self.process.kill)
        self._watchdog.start()

    def say(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def hear(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.endswith(b"\n"), f"no whole line, but {line!r}; its log: {self.log()}"
        return json.loads(line)

    def ask(self, method: str, params: object = None, request_id: object = 7, **more: object) -> Any:
        request = {"method": method, "params": {} if params is None else params, "id": request_id, **more}
        self.say(json.dumps(request).encode() + b"\n")
        return self.hear()

    def end_of_input(self) -> tuple[int, bytes]:
        """Its exit code, and what else it wrote."""
        rest, _ = self.process.communicate()
        return self.process.returncode, rest

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        # Both pipes are closed, whatever is left in them.
        with contextlib.suppress(ValueError, BrokenPipeError):
            self.process.communicate()
        self._watchdog.cancel()


class Server:
    """A nats-server of its own; it comes back on the port that it had."""

    def __init__(self, folder: Path, config: str = "") -> None:
        self._folder = folder
        self._config = config
        self._port = -1
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    def start(self) -> None:
        config = self._folder / "server.conf"
        config.write_text(
            f'listen: "127.0.0.1:{self._port}"\nports_file_dir: "{self._folder}"\n'
            f'log_file: "{self._folder}/server.log"\n{self._config}'
        )
        self.process = subprocess.Popen([nats_server(), "-c", str(config)], stderr=subprocess.DEVNULL)
        ports = self._folder / f"nats-server_{self.process.pid}.ports"
        wait_until("the server tells its port", lambda: ports.exists() and ports.read_text().rstrip().endswith("}"))
        [url] = json.loads(ports.read_text())["nats"]
        self._port = int(url.rsplit(":", 1)[1])

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


def nats_server() -> str:
    found = subprocess.run([ROOT / "nats/server/install.sh"], stdout=subprocess.PIPE, check=True, text=True)
    return found.stdout.strip()


@contextlib.contextmanager
def serving(folder: Path, config: str = "") -> Iterator[Server]:
    server = Server(folder, config)
    try:
        yield server
    finally:
        server.kill()
