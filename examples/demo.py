"""``make demo``: start Noonday, submit the jobs of this folder, let them fire, look at what came of them.

Everything it shows is a command that you may type yourself. It succeeds only if every job did what it
says, and every nominal time has its one instance.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from examples.terminal import quoted, say, table, title

EXAMPLES = Path(__file__).resolve().parent
ROOT = EXAMPLES.parent
PLACE = Path(".noonday/demo")
JOBS = ("disk", "health", "noon", "stumble", "zones")
PORT = 8080
PERIOD_MS = 5000
PATIENCE_S = 40

Document = dict[str, Any]


def main() -> int:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    arguments.add_argument("--port", type=int, default=0, help=f"else {PORT}, or one that is free")
    begin = time.monotonic()
    port = arguments.parse_args().port or free_port()
    prepare(port)
    with serving(port) as cli:
        tour(cli)
    say(f"\nAll of it is as it should be, after {time.monotonic() - begin:.0f} seconds.", bold=True)
    say(f"Results, logs and the database are in {PLACE}. Next: make run, and README.md.")
    return 0


def tour(cli: Cli) -> None:
    """The story: submit, wait, and look from every side."""
    title("Five jobs: SQL, a program, an HTTP call, and one that stumbles")
    cli.show("job", "submit", *cli.files, "--schedule")
    cli.show("job", "list")
    cli.show("job", "next", "noon", "--count", "3")

    title("Let each fire twice: every five seconds, on the second")
    wait_until_each_succeeded_twice(cli)
    cli.show("instance", "list", "--state", "SUCCEEDED", "--limit", "10")

    title("Where is it noon? A query with bound parameters, its rows kept as a file")
    show_noon(cli)
    title("The same query for another question: a trigger with a parameter")
    trigger_zones(cli)
    title("What the program printed")
    cli.show("instance", "logs", cli.latest("disk")["id"][:16])
    title("A failure and its retry, both on record")
    show_stumble(cli)

    title("Hold a job, and see who did what")
    cli.show("job", "suspend", "noon", "--reason", "we have seen enough")
    cli.show("job", "history", "noon")
    check_every_nominal_time(cli.ask("instance", "list", "--kind", "SCHEDULED", "--all")["items"])


def wait_until_each_succeeded_twice(cli: Cli) -> None:
    deadline = time.monotonic() + PATIENCE_S
    done: dict[str, int] = {}
    while min((done.get(job, 0) for job in JOBS), default=0) < 2:
        if time.monotonic() > deadline:
            fail(f"after {PATIENCE_S} seconds only these have succeeded: {done}")
        pause(0.5)
        succeeded = cli.ask("instance", "list", "--state", "SUCCEEDED", "--all")["items"]
        done = {job: sum(row["name"] == job for row in succeeded) for job in JOBS}


def show_noon(cli: Cli) -> None:
    """Somewhere it is noon: no two neighbours of the 312 places are ten degrees, or 40 minutes, apart."""
    identity = cli.latest("noon")["id"][:16]
    cli.say("instance", "result", identity)
    rows = list(csv.DictReader(cli.output("instance", "result", identity).splitlines()))
    table(rows)
    expect(len(rows) == 6, f"six places, not {len(rows)}")
    for row in rows[:1]:
        hours, minutes, _ = row["time_by_the_sun"].split(":")
        expect(abs(int(hours) * 60 + int(minutes) - 720) <= 20, f"noon at {row}")


def trigger_zones(cli: Cli) -> None:
    cli.show("job", "trigger", "zones", "--param", "least=20", "--wait")
    by_hand = cli.ask("instance", "list", "--job", "zones", "--kind", "MANUAL")["items"]
    expect(len(by_hand) == 1, "one instance by hand")
    rows = list(csv.DictReader(cli.output("instance", "result", by_hand[0]["id"]).splitlines()))
    table(rows)
    expect(bool(rows) and all(int(row["zones"]) >= 20 for row in rows), f"twenty zones: {rows}")


def show_stumble(cli: Cli) -> None:
    instance = cli.latest("stumble")
    cli.show("instance", "show", instance["id"][:16])
    runs = [run["state"] for run in cli.ask("instance", "show", instance["id"])["runs"]]
    expect(runs == ["FAILED", "SUCCEEDED"], f"one failure, one success: {runs}")


def check_every_nominal_time(instances: Sequence[Document]) -> None:
    """No nominal time is missing between the first and the last, and none has two instances."""
    for job in JOBS:
        times = sorted(row["nominal_ms"] for row in instances if row["name"] == job)
        expected = list(range(times[0], times[0] + len(times) * PERIOD_MS, PERIOD_MS))
        expect(times == expected, f"{job} fired at {times}")
    failed = [row for row in instances if row["state"] in {"FAILED", "TIMED_OUT", "KILLED"}]
    expect(not failed, f"nothing failed for good: {failed}")


@dataclass(frozen=True)
class Cli:
    """The command ``noonday``, as somebody at a terminal uses it."""

    environment: Mapping[str, str]
    files: Sequence[str]

    def say(self, *arguments: str) -> None:
        say(f"\n$ noonday {' '.join(map(quoted, arguments))}", fg="cyan")

    def show(self, *arguments: str) -> None:
        """Run it, with its own output on this terminal."""
        self.say(*arguments)
        if self._run(arguments).returncode != 0:
            fail(f"noonday {' '.join(arguments)} failed")

    def output(self, *arguments: str) -> str:
        done = self._run(arguments, capture=True)
        if done.returncode != 0:
            fail(f"noonday {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def ask(self, *arguments: str) -> Document:
        document: Document = json.loads(self.output(*arguments, "-o", "json"))
        return document

    def latest(self, job: str) -> Document:
        """The newest instance of the job that its schedule fired and that has succeeded."""
        found = self.ask("instance", "list", "--job", job, "--state", "SUCCEEDED")["items"]
        return next(row for row in found if row["kind"] == "SCHEDULED")

    def _run(
        self, arguments: Sequence[str], *, capture: bool = False
    ) -> subprocess.CompletedProcess[str]:
        sys.stdout.flush()
        return subprocess.run(  # noqa: S603 - our own command, installed beside this interpreter
            [str(Path(sys.executable).with_name("noonday")), *arguments],
            env=self.environment,
            cwd=ROOT,
            text=True,
            capture_output=capture,
            check=False,
        )


def prepare(port: int) -> None:
    """A place of its own, emptied; the zones as a database; the jobs, if the port is another."""
    os.chdir(ROOT)
    shutil.rmtree(PLACE, ignore_errors=True)
    (PLACE / "jobs").mkdir(parents=True)
    with sqlite3.connect(PLACE / "zones.db") as database:
        database.executescript((EXAMPLES / "data" / "zones.sql").read_text(encoding="utf-8"))
    database.close()
    for job in JOBS:
        text = (EXAMPLES / f"{job}.yaml").read_text(encoding="utf-8")
        text = text.replace(f"port: {PORT}", f"port: {port}")
        (PLACE / "jobs" / f"{job}.yaml").write_text(text, encoding="utf-8")


@contextmanager
def serving(port: int) -> Iterator[Cli]:
    """A server that is stopped at the end, in order; its failure is ours."""
    settings = {
        "NOONDAY_AUTH": "local",
        "NOONDAY_TOKEN": secrets.token_hex(16),
        "NOONDAY_FILES": str(PLACE / "files"),
        "NOONDAY_RUNS": str(PLACE / "runs"),
        "NOONDAY_CONNECTION_ZONES": f"sqlite:///{PLACE / 'zones.db'}",
        "NOONDAY_HTTP_ALLOW": "127.0.0.1",
        "NOONDAY_PROCESS": "on",
    }
    command = ["-m", "chalicelib.local", "--port", str(port)]
    command += ["--database", f"sqlite:///{PLACE / 'noonday.db'}"]
    title("Noonday in one process, on SQLite")
    for name in ("NOONDAY_CONNECTION_ZONES", "NOONDAY_HTTP_ALLOW", "NOONDAY_PROCESS"):
        say(f"  {name}={settings[name]}", dim=True)
    say(f"\n$ python {' '.join(command)}", fg="cyan")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NOONDAY_")}  # noqa: TID251
    environment = {
        **inherited,
        **settings,
        "NOONDAY_URL": f"http://127.0.0.1:{port}",
        "XDG_CONFIG_HOME": str(ROOT / PLACE / "config"),
    }
    with (PLACE / "server.log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(  # noqa: S603 - our own server
            [sys.executable, *command], env=environment, cwd=ROOT, stdout=log, stderr=log
        )
    try:
        cli = Cli(environment, job_files(port))
        wait_for_server(server)
        cli.show("health")
        yield cli
        title("Stop the server; what it accepted is kept")
        stop(server)
    finally:
        server.kill()
        server.wait()


def job_files(port: int) -> list[str]:
    folder = Path("examples") if port == PORT else PLACE / "jobs"
    return [str(folder / f"{job}.yaml") for job in JOBS]


def wait_for_server(server: subprocess.Popen[bytes]) -> None:
    """Until it says that it serves: an answer alone might come from somebody else's server."""
    deadline = time.monotonic() + PATIENCE_S
    while "serves at" not in (PLACE / "server.log").read_text(encoding="utf-8"):
        if server.poll() is not None:
            fail("the server did not start")
        if time.monotonic() > deadline:
            fail(f"the server was not up after {PATIENCE_S} seconds")
        pause(0.1)


def stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGTERM)
    try:
        status = server.wait(timeout=30)
    except subprocess.TimeoutExpired:
        fail("the server did not stop within 30 seconds")
    expect(status == 0, f"the server left with status {status}")
    say("stopped", dim=True)


def free_port() -> int:
    """The port that the examples name, unless somebody has it."""
    for port in (PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            chosen: int = probe.getsockname()[1]
            return chosen
    return fail("no port is free")


def expect(fact: object, what: str) -> None:
    if not fact:
        fail(f"expected: {what}")


def fail(why: str) -> NoReturn:
    say(f"\nThe demonstration failed: {why}", fg="red")
    log = PLACE / "server.log"
    if log.exists():
        say(f"The end of {log}:")
        say("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]))
    sys.exit(1)


def pause(seconds: float) -> None:
    threading.Event().wait(seconds)


if __name__ == "__main__":
    sys.exit(main())
