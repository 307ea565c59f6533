"""A real Jupyter server in folders and on a port of its own, ended by its id, kernels included."""

from __future__ import annotations

import contextlib
import json
import signal
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

from official_support import LIMIT_SECONDS, Server, free_port, wait_until

TOKEN = "the servers own token"


class Jupyter:
    def __init__(self, folder: Path, *options: str, port: int | None = None, ca_file: Path | None = None) -> None:
        self.port = port or free_port()
        self._context = ssl.create_default_context(cafile=ca_file) if ca_file else None
        self.runtime = folder / "runtime"
        self.url = f"{'https' if ca_file else 'http'}://127.0.0.1:{self.port}/base"
        for name in ("runtime", "root", "home"):
            (folder / name).mkdir(exist_ok=True)
        environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder / "home"), "LANG": "C.UTF-8",
            "JUPYTER_RUNTIME_DIR": str(self.runtime), "SHELL": "/bin/sh",
        }  # fmt: skip
        self.server = Server(
            [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
             f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0", "--ServerApp.base_url=/base/",
             f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder / 'root'}", *options],
            folder / "server.log", cwd=folder, env=environment,
        )  # fmt: skip
        self.server.ready("Jupyter answers", self._answers)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 # Its own server.
            f"{self.url}/api/{path}", method=method, data=None if body is None else json.dumps(body).encode()
        )
        request.add_header("Authorization", f"token {TOKEN}")
        with urllib.request.urlopen(request, timeout=LIMIT_SECONDS, context=self._context) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text else None

    def kernel(self) -> str:
        """A kernel that has started and computes nothing."""
        number = str(self.ask("POST", "kernels", {"name": "python3"})["id"])
        with self.client(number) as client:

            def is_idle() -> bool:
                # What a kernel says before the server listens is lost, so it is asked until the server knows; one
                # question after the other, for it computes while it answers.
                client.kernel_info()
                client.get_shell_msg(timeout=LIMIT_SECONDS)
                return self.state(number) == "idle"

            wait_until("the kernel is idle", is_idle)
        return number

    def state(self, kernel: str) -> str:
        return str(self.ask("GET", f"kernels/{kernel}")["execution_state"])

    @contextlib.contextmanager
    def client(self, kernel: str) -> Iterator[Any]:
        """As a notebook that is open, of which the server knows nothing."""
        client = BlockingKernelClient(connection_file=str(self.runtime / f"kernel-{kernel}.json"))
        client.load_connection_file()
        client.start_channels()
        try:
            yield client
        finally:
            client.stop_channels()

    def compute(self, kernel: str) -> None:
        """Until it is interrupted, with nobody connected, as a cell whose notebook was closed."""
        with self.client(kernel) as client:
            client.execute("while True: pass")
            wait_until("the kernel is busy", lambda: self.state(kernel) == "busy")

    def interrupt(self, kernel: str) -> None:
        self.ask("POST", f"kernels/{kernel}/interrupt")
        wait_until("the kernel is idle", lambda: self.state(kernel) == "idle")

    def clear(self) -> None:
        for kernel in self.ask("GET", "kernels"):
            self.ask("DELETE", f"kernels/{kernel['id']}")
        for terminal in self.ask("GET", "terminals"):
            self.ask("DELETE", f"terminals/{terminal['name']}")

    def stop(self) -> None:
        """In order, for it ends its kernels itself, each of which has a group of its own."""
        if self.server.process.poll() is None:
            self.server.process.send_signal(signal.SIGCONT)
            self.clear()
            self.server.process.send_signal(signal.SIGTERM)
            self.server.process.wait(LIMIT_SECONDS)
        self.server.close()

    def _answers(self) -> bool:
        try:
            self.ask("GET", "status")
        except urllib.error.HTTPError:
            raise
        except OSError:
            time.sleep(0.05)
            return False
        return True
