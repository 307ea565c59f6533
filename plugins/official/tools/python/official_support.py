"""Starts what tests talk to: built plugins as child processes, and servers on loopback. Each is ended by its id.

It waits for nothing by sleeping for a time: every wait is for a condition, and has a limit.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable

LIMIT_SECONDS = 30.0
"""No wait of a test is longer: a hundred times what the slowest needs on a busy machine."""

ANSWER_SECONDS = 4.0
"""What a question may take, whatever hangs: a runner waits for 5 s."""


def wait_until(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true in {LIMIT_SECONDS} s"
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Monitor:
    """A built plugin as a child process, as a runner starts it: PATH, LANG, HOME and the memory that it asks for."""

    def __init__(self, name: str, home: Path) -> None:
        program = Path(os.environ["SNOOZE_BUILT"]) / name / name
        memory = json.loads((program.parent / "plugin.json").read_text())["permissions"]["memory_mb"] * 1024 * 1024
        self._log = home / f"{name}.log"
        with self._log.open("wb") as stderr:
            self.process = subprocess.Popen(
                ["prlimit", f"--data={memory}", sys.executable, str(program)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(home)},
            )
        # What hangs is ended, and then read as an end.
        self._watchdog = threading.Timer(4 * LIMIT_SECONDS, self.process.kill)
        self._watchdog.start()

    def ask(self, method: str, params: object = None) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        request = {"method": method, "params": {} if params is None else params, "id": 7}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line.endswith(b"\n"), f"no whole line, but {line!r}; its log: {self.log()}"
        return json.loads(line)

    def configure(self, **config: object) -> None:
        answer = self.ask("Configure", {"config": config})
        assert answer.get("result") == {"success": True}, answer

    def refuses(self, **config: object) -> str:
        """The error that this configuration is refused with."""
        return str(self.ask("Configure", {"config": config})["error"])

    def vote(self) -> dict[str, Any]:
        """Its vote, which is known."""
        answer = self.ask("CheckIdle", {"metrics": {}})
        assert "result" in answer, answer
        vote: dict[str, Any] = answer["result"]
        return vote

    def is_idle(self) -> bool:
        is_idle = self.vote()["is_idle"]
        assert isinstance(is_idle, bool)
        return is_idle

    def fails(self) -> str:
        """The error that a check is answered with, within its time."""
        begun = time.monotonic()
        answer = self.ask("CheckIdle", {"metrics": {}})
        assert time.monotonic() - begun < ANSWER_SECONDS
        assert "error" in answer, answer
        return str(answer["error"])

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def end(self) -> int:
        """Its exit code after the end of its input."""
        self.process.communicate()
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        # Both pipes are closed, whatever is left in them.
        with contextlib.suppress(ValueError, BrokenPipeError):
            self.process.communicate()
        self._watchdog.cancel()


class Server:
    """A server as a child process in a group of its own."""

    def __init__(self, command: Sequence[str], log: Path, **options: Any) -> None:
        self._log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True, **options)

    def ready(self, what: str, condition: Callable[[], bool]) -> None:
        def is_ready() -> bool:
            assert self.process.poll() is None, f"it ended before {what}: {self.log()}"
            return condition()

        wait_until(what, is_ready)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Hangs meanwhile: it takes connections, as its kernel does, and answers nothing."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def close(self) -> None:
        if self.process.poll() is None:
            self._signal(signal.SIGKILL)
            self.process.wait()

    def _signal(self, number: int) -> None:
        os.killpg(self.process.pid, number)


@contextlib.contextmanager
def answering(words: bytes, endless: bool = False) -> Iterator[int]:
    """A port where everybody's first words are answered with these, and then with nothing, or with more without end."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            taken = []
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    break
                taken.append(client)
                client.settimeout(LIMIT_SECONDS)
                with contextlib.suppress(OSError):
                    client.recv(65536)
                    client.sendall(words)
                    while endless:
                        client.sendall(bytes(65536))
            for client in taken:
                client.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(LIMIT_SECONDS)


def says(stream: int, what: str) -> None:
    """Waits until something can be read from a descriptor."""
    assert select.select([stream], [], [], LIMIT_SECONDS)[0], f"{what} said nothing"


def other_user() -> dict[str, Any]:
    """Options of a process that refuses to run as the superuser: PostgreSQL's own user, where that is who we are."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def certificate(folder: Path, name: str) -> None:
    """Makes `<name>.crt`, its own authority, for this machine, and `<name>.key`."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
