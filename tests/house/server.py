"""A real server in its own process, as ``make run`` starts it, for documents and examples."""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.house.documents import ROOT

_SERVES = re.compile(r"serves at http://127\.0\.0\.1:(\d+)\n")


@dataclass(frozen=True, slots=True)
class Server:
    """``environment``: for a shell in which ``noonday`` speaks to this server."""

    port: int
    token: str
    environment: Mapping[str, str]

    def post(self, path: str, document: object) -> tuple[int, str]:
        """Status and body."""
        return self._send("POST", path, document)

    def put(self, path: str, document: object) -> tuple[int, str]:
        return self._send("PUT", path, document)

    def _send(self, method: str, path: str, document: object) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        return _ask(self.port, method, path, json.dumps(document), headers)


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """On a port that it chooses itself, with programs allowed and a database called ``warehouse``."""
    warehouse = folder / "warehouse.db"
    with sqlite3.connect(warehouse) as database:
        database.execute("CREATE TABLE orders (day TEXT, country TEXT, amount INTEGER)")
    database.close()
    token = secrets.token_hex(16)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "NOONDAY_AUTH": "local",
        "NOONDAY_TOKEN": token,
        "NOONDAY_FILES": str(folder / "files"),
        "NOONDAY_RUNS": str(folder / "runs"),
        "NOONDAY_PROCESS": "on",
        "NOONDAY_HTTP_ALLOW": "127.0.0.1",
        "NOONDAY_TARGETS_ALLOW": '[{"owner": "*", "kind": "*", "resource": "*"}]',
        "NOONDAY_CONNECTION_WAREHOUSE": f"sqlite:///{warehouse}",
        "NOONDAY_CONNECTION_ZONES": f"sqlite:///{warehouse}",
    }
    command = [sys.executable, "-m", "chalicelib.local", "--port", "0"]
    command += ["--database", f"sqlite:///{folder / 'noonday.db'}"]
    log = folder / "server.log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        port = _port_of(process, log)
        yield Server(port, token, {**environment, "NOONDAY_URL": f"http://127.0.0.1:{port}"})
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0, log.read_text(encoding="utf-8")


def _ask(
    port: int, method: str, path: str, body: str | None, headers: Mapping[str, str]
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def _port_of(process: subprocess.Popen[bytes], log: Path) -> int:
    """Waits for the server's own word: a port that is asked for may be somebody else's by then."""
    deadline = time.monotonic() + 60
    while (said := _SERVES.search(log.read_text(encoding="utf-8"))) is None:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
        threading.Event().wait(0.05)
    return int(said[1])
