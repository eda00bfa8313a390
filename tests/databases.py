"""Databases for tests: a private MariaDB, a real MySQL where there is one, SQLite on disk and in memory.

Fixtures: ``open_empty(kind)`` gives an empty, migrated store of that kind, ``empty_url(kind)`` the URL of
such a database, for programs of their own; ``mariadb`` and ``mysql`` are the servers.

Each process of pytest has its own MariaDB, on a temporary directory, without any wait for the disk; it
ends with the process, however that ends. MySQL is the one that NOONDAY_TEST_MYSQL names. A database that
cannot be had is a skip with its reason; with CI=true or NOONDAY_REQUIRE_DATABASES=1 it is a failure.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, Any, NoReturn, cast
from urllib.parse import urlsplit

import pymysql
import pytest

from chalicelib.store import SqlStore, open_store
from chalicelib.store.sqlite import SqliteDriver, SqliteLink

__all__ = ["EVERY_KIND", "SERVERS", "Server", "empty_url", "mariadb", "mysql", "open_empty"]

SERVERS = ("mariadb", "mysql")
EVERY_KIND = ("sqlite-memory", "sqlite-file", *SERVERS)
START_S = 60
TRIES = 3
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
# The server dies with the test process: a reader waits for the end of the pipe that the process holds.
_GUARD = """
exec 3<&0
"$@" 3<&- & server=$!
(read -r _ <&3; kill -KILL "$server") & reader=$!
wait "$server"
kill "$reader"
"""


@dataclass(slots=True)
class Server:
    """A running server. Databases are made when they are asked for, and emptied for the next test."""

    host: str
    port: int
    user: str = "root"
    ca_file: Path | None = None
    _databases: list[str] = field(default_factory=list)
    _bare: list[str] = field(default_factory=list)
    _tables: list[str] = field(default_factory=list)

    def url(self, database: str, *, port: int | None = None) -> str:
        return f"mysql://{self.user}@{self.host}:{port or self.port}/{database}"

    def execute(self, sql: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """One statement, as the administrator."""
        with closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def connect(self, database: str | None = None) -> pymysql.Connection[Any]:
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            database=database,
            autocommit=True,
            ssl_disabled=True,
        )

    def create(self, database: str) -> str:
        """A new database of that name, without any table; its URL."""
        self.execute(f"DROP DATABASE IF EXISTS {database}")
        self.execute(f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
        return self.url(database)

    def empty_schema(self, number: int) -> str:
        """The URL of the process's n-th database without tables; for tests of migrations."""
        database = f"noonday_bare_{os.getpid()}_{number}"
        if database not in self._bare:
            self._bare.append(database)
        return self.create(database)

    def empty(self, number: int) -> str:
        """The URL of the process's n-th migrated database, with no rows."""
        while len(self._databases) <= number:
            # One MySQL serves all processes of a run, and perhaps several runs.
            database = f"noonday_test_{os.getpid()}_{len(self._databases)}"
            url = self.create(database)
            with closing(open_store(url)) as store:
                store.migrate(0)
            self._databases.append(database)
        database = self._databases[number]
        self.delete_rows(database)
        return self.url(database)

    def drop_all(self) -> None:
        for database in (*self._databases, *self._bare):
            self.execute(f"DROP DATABASE IF EXISTS {database}")

    def delete_rows(self, database: str) -> None:
        """Most tables are empty after most tests, and to look costs less than to delete nothing."""
        with closing(self.connect(database)) as connection, connection.cursor() as cursor:
            if not self._tables:
                cursor.execute("SHOW TABLES")
                self._tables = [table for (table,) in cursor if table != "scheduler_meta"]
            filled = (f"EXISTS (SELECT 1 FROM {table})" for table in self._tables)
            cursor.execute(f"SELECT {', '.join(filled)}")
            for table, has_rows in zip(self._tables, cursor.fetchone() or (), strict=True):
                if has_rows:
                    cursor.execute(f"DELETE FROM {table}")
            cursor.execute("UPDATE scheduler_meta SET value = '' WHERE name = 'pause'")


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """A private MariaDB, with TLS for who wants it."""
    missing = [name for name in ("mariadbd", "mariadb-install-db") if _program(name) is None]
    if missing:
        _unavailable(
            f"MariaDB is not installed ({', '.join(missing)}): apt-get install mariadb-server"
        )
    with (
        tempfile.TemporaryDirectory(prefix="noonday-") as scratch,
        _started(Path(scratch)) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def mysql() -> Iterator[Server]:
    """The MySQL that NOONDAY_TEST_MYSQL names; it may be filled and emptied at will."""
    url = os.environ.get("NOONDAY_TEST_MYSQL")
    if not url:
        _unavailable("NOONDAY_TEST_MYSQL is not set; .ci/start_mysql.sh starts a MySQL")
    parts = urlsplit(url)
    server = Server(parts.hostname or "127.0.0.1", parts.port or 3306, parts.username or "root")
    try:
        server.execute("SELECT 1")
    except pymysql.err.Error as error:
        _unavailable(f"the MySQL of NOONDAY_TEST_MYSQL does not answer: {error}")
    yield server
    server.drop_all()


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Gives the URL of an empty, migrated database of a kind; each call of a test gives another one."""
    given: dict[str, int] = {}

    def give(kind: str) -> str:
        number = given.get(kind, 0)
        given[kind] = number + 1
        if kind in SERVERS:
            server: Server = request.getfixturevalue(kind)
            return server.empty(number)
        if kind == "sqlite-memory":
            return "sqlite://"
        path = tmp_path / f"noonday-{number}.db"
        path.write_bytes(_migrated())
        return f"sqlite:///{path}"

    return give


@pytest.fixture
def open_empty(empty_url: Callable[[str], str]) -> Iterator[Callable[[str], SqlStore]]:
    """Opens an empty, migrated store of a kind; it is closed when the test is over."""
    opened: list[SqlStore] = []

    def give(kind: str) -> SqlStore:
        store = open_store(empty_url(kind))
        opened.append(store)
        if kind == "sqlite-memory":
            _connection_of(store).deserialize(_migrated())
        return store

    yield give
    for store in opened:
        store.close()


@cache
def _migrated() -> bytes:
    """What is in an SQLite database that has just been migrated: most tests want one, always the same."""
    with closing(open_store("sqlite://")) as store:
        store.migrate(0)
        return _connection_of(store).serialize()


def _connection_of(store: SqlStore) -> sqlite3.Connection:
    """Nobody but a test has any business with the connection itself."""
    with cast(SqliteDriver, store._driver).writing() as link:
        return cast(SqliteLink, link)._connection


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true" or os.environ.get("NOONDAY_REQUIRE_DATABASES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def _program(name: str) -> str | None:
    """Servers often lie where only root's PATH leads."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SBIN}")


@contextmanager
def _started(scratch: Path) -> Iterator[Server]:
    as_user = ["--user=root"] if os.geteuid() == 0 else []
    installed = subprocess.run(
        [
            str(_program("mariadb-install-db")), "--no-defaults", *as_user, f"--datadir={scratch}/data",
            "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
        ],
        capture_output=True, text=True, check=False,
        env={**os.environ, "TMPDIR": str(scratch)},  # at its start a server clears what others have in /tmp
    )  # fmt: skip
    if installed.returncode:
        _unavailable(f"mariadb-install-db failed: {installed.stderr or installed.stdout}")
    ca_file = _certificates(scratch)
    for _ in range(TRIES):  # another process may take the port between its choice and its use
        server = Server("127.0.0.1", _free_port(), ca_file=ca_file)
        with (
            (scratch / "log").open("w+") as log,
            _guarded(scratch, server.port, as_user, log) as guard,
        ):
            if _answers(server, guard, scratch):
                yield server
                return
            log.seek(0)
            said = log.read()[-2000:]
    _unavailable(f"mariadbd did not start: {said}")


@contextmanager
def _guarded(
    scratch: Path, port: int, as_user: list[str], log: IO[str]
) -> Iterator[subprocess.Popen[bytes]]:
    options = [
        "--no-defaults", *as_user, f"--datadir={scratch}/data",
        f"--tmpdir={scratch}", f"--socket={scratch}/socket",
        f"--port={port}", "--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-log-bin",
        "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-buffer-pool-size=256M",
        f"--ssl-ca={scratch}/ca.pem", f"--ssl-cert={scratch}/server.pem", f"--ssl-key={scratch}/server.key",
    ]  # fmt: skip
    guard = subprocess.Popen(
        ["sh", "-c", _GUARD, "sh", str(_program("mariadbd")), *options],
        stdin=subprocess.PIPE, stdout=log, stderr=log,
    )  # fmt: skip
    try:
        yield guard
    finally:
        guard.communicate()


def _answers(server: Server, process: subprocess.Popen[bytes], scratch: Path) -> bool:
    """Whether it is up, and it is ours: another server may have been quicker to take the port."""
    deadline = time.monotonic() + START_S
    never = threading.Event()
    while time.monotonic() < deadline and process.poll() is None:
        try:
            [[folder]] = server.execute("SELECT @@datadir")
        except pymysql.err.Error:
            never.wait(0.05)
        else:
            return Path(folder) == scratch / "data"
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _certificates(scratch: Path) -> Path:
    """An authority, and a certificate of it for 127.0.0.1."""
    make_authority(scratch / "ca.pem", scratch / "ca.key")
    (scratch / "names").write_text("subjectAltName=IP:127.0.0.1\nauthorityKeyIdentifier=keyid\n")
    key, request = scratch / "server.key", scratch / "server.csr"
    _openssl(*_NEW_KEY, "-keyout", key, "-out", request, "-subj", "/CN=noonday test server")
    _openssl(
        "x509", "-req", "-in", request, "-CA", scratch / "ca.pem", "-CAkey", scratch / "ca.key",
        "-set_serial", "2", "-days", "30", "-extfile", scratch / "names", "-out", scratch / "server.pem",
    )  # fmt: skip
    return scratch / "ca.pem"


def make_authority(certificate: Path, key: Path) -> None:
    """A self-signed certificate of an authority that nobody knows."""
    _openssl(
        *_NEW_KEY, "-x509", "-days", "30", "-keyout", key, "-out", certificate,
        "-subj", "/CN=noonday test authority", "-addext", "keyUsage=critical,keyCertSign",
    )  # fmt: skip


_NEW_KEY = ("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
