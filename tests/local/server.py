"""The real server in a process of its own, on a free port, with all its files in one folder.

``with serving(tmp_path) as server:`` gives ``server.url`` and ``server.token``, and a CLI that is run
with ``server.environ`` finds both in its profile. ``server.call`` speaks JSON to it.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
START_S = 30
STOP_S = 60
_SERVES = re.compile(r"Noonday serves at (http://\S+)")


@dataclass(frozen=True, slots=True)
class Answer:
    """``body``: the JSON document, or the text when it is none. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(slots=True)
class Server:
    """A running server. ``said``: the lines it printed; ``log``: where its JSON lines went."""

    url: str
    token: str
    process: subprocess.Popen[str]
    environ: Mapping[str, str]
    folder: Path
    said: list[str] = field(default_factory=list)
    listening: threading.Thread | None = None

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(encoding="utf-8")

    def connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        assert parts.hostname
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        """One request with the server's token (``token=""``: with none)."""
        content = raw if raw is not None else None if body is None else json.dumps(body).encode()
        token = self.token if token is None else token
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        if content is not None:
            sent["Content-Type"] = "application/json"
        connection = self.connect()
        try:
            connection.request(method, path, content, {**sent, **(headers or {})})
            return read_answer(connection.getresponse())
        finally:
            connection.close()

    def stop(self) -> int:
        """Ask it to end as an operator does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        """As a power cut does."""
        self.process.kill()
        self.ended()

    def ended(self) -> int:
        """Wait for its end, and for all that it said; its exit code."""
        code = self.process.wait(STOP_S)
        if self.listening is not None:
            self.listening.join(STOP_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


def read_answer(response: http.client.HTTPResponse) -> Answer:
    text = response.read().decode("utf-8", errors="replace")
    headers = {name.lower(): value for name, value in response.getheaders()}
    is_json = "json" in headers.get("content-type", "")
    return Answer(response.status, headers, json.loads(text) if is_json and text else text)


@contextmanager
def serving(
    folder: Path,
    *arguments: str,
    database: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Start a server, and end it when the block ends, if it has not ended by then.

    The folder keeps database, token, files and log, so that a second server in it goes on from the first.
    ``arguments`` come after the port and the database on its command line.
    """
    server = start(folder, *arguments, database=database, environ=environ)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
        else:
            server.ended()


def start(
    folder: Path,
    *arguments: str,
    database: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Server:
    """Start a server and wait until it says where it serves; whoever calls ends it."""
    settings = environment(folder, environ)
    process = launch(folder, settings, *arguments, database=database)
    said: list[str] = []
    url = _url(process, said)
    assert process.stdout
    listening = threading.Thread(target=_listen, args=(process.stdout, said), daemon=True)
    listening.start()
    return Server(url, _token(folder, settings), process, settings, folder, said, listening)


def _listen(stream: IO[str], said: list[str]) -> None:
    said.extend(line.rstrip("\n") for line in stream)


def launch(
    folder: Path, environ: Mapping[str, str], *arguments: str, database: str | None = None
) -> subprocess.Popen[str]:
    """The process, whether or not it comes up. Its JSON lines are appended to ``server.log``."""
    folder.mkdir(parents=True, exist_ok=True)
    url = database or f"sqlite:///{folder.absolute() / 'noonday.db'}"
    command = [sys.executable, "-m", "chalicelib.local", "--port", "0", "--database", url]
    with (folder / "server.log").open("a", encoding="utf-8") as log:
        return subprocess.Popen(
            [*command, *arguments],
            cwd=folder,
            env=dict(environ),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )


def environment(folder: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the server gets: none of this process's own settings, and all its files in the folder."""
    inherited = {name: value for name, value in os.environ.items() if "NOONDAY" not in name}
    return {
        **inherited,
        "PYTHONPATH": str(ROOT),
        "XDG_CONFIG_HOME": str(folder.absolute() / "config"),
        "NOONDAY_FILES": str(folder.absolute() / "files"),
        "NOONDAY_RUNS": str(folder.absolute() / "runs"),
        "NOONDAY_PROCESS": "on",
        "NOONDAY_HTTP_ALLOW": "127.0.0.1",
        **(environ or {}),
    }


def _url(process: subprocess.Popen[str], said: list[str]) -> str:
    """The first line that names it; a server that does not come up in time is ended, which ends its lines."""
    assert process.stdout
    patience = threading.Timer(START_S, process.kill)
    patience.start()
    try:
        for line in process.stdout:
            said.append(line.rstrip("\n"))
            match = _SERVES.search(line)
            if match:
                return match[1]
    finally:
        patience.cancel()
    process.stdout.close()
    raise AssertionError(f"the server did not come up: {said}, exit code {process.wait()}")


def _token(folder: Path, environ: Mapping[str, str]) -> str:
    if "NOONDAY_TOKEN" in environ:
        return environ["NOONDAY_TOKEN"]
    profile = folder / "config" / "noonday" / "profiles.json"
    document = json.loads(profile.read_text(encoding="utf-8"))
    return str(document["profiles"]["local"]["token"])
