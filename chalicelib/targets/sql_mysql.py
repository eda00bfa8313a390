"""MySQL and MariaDB as databases of ``sql`` targets.

A session holds a named lock of its run for as long as it lives. So a later claim of the same run finds it
wherever it is, knows that it is the same, ends it, and is never at work beside it.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql
from pymysql.cursors import SSCursor

from chalicelib.aws.authorities import authorities_for
from chalicelib.engine.ports import Control, LaunchRequest
from chalicelib.model.errors import Unavailable
from chalicelib.targets.configuration import Connection
from chalicelib.targets.sql_session import (
    Answer,
    Bound,
    EarlierSession,
    Rows,
    Session,
    SqlFailure,
)
from chalicelib.targets.sql_statement import mysql_lexis, names, pyformat

BATCH = 500
CONNECT_SECONDS = 10
PATIENCE = 30  # looks, a second each, at a session that was told to end
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ACCESS_DENIED = 1045
_PERMANENT = frozenset({1064, 1149, 1210, 1295})  # syntax, and what cannot be prepared or bound


class MySqlSession(Session):
    def __init__(
        self, connection: Connection, request: LaunchRequest, control: Control, *, seconds: float
    ) -> None:
        """Connects, and makes sure that no earlier session of the run is alive.

        ``seconds``: how long the server may keep silent before it is given up.
        """
        self._connection = connection
        self._control = control
        self._stopped = threading.Event()
        self._over = threading.Event()
        self._cursor: Any = None
        try:
            with self._explained():
                self._db = dial(connection, seconds=seconds)
        except SqlFailure as error:
            if request.handle is None:
                raise
            raise EarlierSession(f"its earlier session cannot be looked for: {error}") from error
        try:
            with self._explained():
                self._id, mode = self._one("SELECT CONNECTION_ID(), @@SESSION.sql_mode")
                self._alone(lock_name(request.token))
        except BaseException:
            self.close()
            raise
        self._lexis = mysql_lexis(str(mode))

    @property
    def handle(self) -> Mapping[str, object]:
        return {"connection": self._connection.name, "connection_id": self._id}

    def execute(self, query: str, bindings: Bound) -> Answer:
        with self._explained():
            self._db.begin()
            self._cursor = self._db.cursor(SSCursor)
            if self._stopped.is_set():
                raise SqlFailure("stopped")
            used = {name: bindings[name] for name in names(query, self._lexis)}
            self._cursor.execute(pyformat(query, self._lexis), used)
        columns = [column[0] for column in self._cursor.description or ()]
        return Answer(columns, self._fetch)

    @property
    def affected(self) -> int:
        return max(0, self._cursor.rowcount) if self._cursor else 0

    def commit(self) -> None:
        if self._stopped.is_set():
            raise SqlFailure(f"connection {self._connection.name!r}: stopped before the commit")
        with self._explained():
            self._db.commit()

    def cancel(self) -> None:
        """In a thread of its own: whoever calls has other leases to look after."""
        self._stopped.set()
        threading.Thread(target=self._kill, name=f"kill-{self._id}", daemon=True).start()

    def close(self) -> None:
        """Without reading what the server still sends."""
        self._over.set()
        let_go(self._db, self._cursor)

    def _fetch(self) -> Rows:
        if self._stopped.is_set():
            raise SqlFailure("stopped")
        with self._explained():
            rows: Rows = self._cursor.fetchmany(BATCH)
            return rows

    def _kill(self) -> None:
        """The statement first, until it has ended; then the session; at last our end of it.

        More than once: a statement that was on its way when the first one came has not heard of it.
        """
        with suppress(pymysql.Error, OSError):
            db = dial(self._connection, seconds=CONNECT_SECONDS)
            with db, db.cursor() as cursor:
                for verb in ("QUERY", "QUERY", "QUERY", "CONNECTION"):
                    if self._over.is_set():
                        return
                    cursor.execute(f"KILL {verb} {int(self._id)}")
                    if self._over.wait(1):
                        return
        held = vars(self._db).get("_sock")
        if isinstance(held, socket.socket) and not self._over.is_set():
            with suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)

    def _alone(self, lock: str) -> None:
        for _ in range(PATIENCE):
            (taken,) = self._one("SELECT GET_LOCK(%s, 0)", lock)
            if taken == 1:
                return
            (holder,) = self._one("SELECT IS_USED_LOCK(%s)", lock)
            if holder is not None:
                self._end(int(holder))
            (taken,) = self._one("SELECT GET_LOCK(%s, 1)", lock)
            if taken == 1:
                return
            if self._control.stopping:
                break
        raise EarlierSession("an earlier session of this run does not end; its work may go on")

    def _end(self, holder: int) -> None:
        """Who holds the run's lock is its earlier session, and nobody else."""
        try:
            self._one(f"KILL CONNECTION {holder}")
        except pymysql.err.OperationalError as error:
            if error.args[0] != 1094:  # it is gone already
                raise

    def _one(self, query: str, *values: object) -> tuple[Any, ...]:
        with self._db.cursor() as cursor:
            cursor.execute(query, values or None)
            return cursor.fetchone() or ()

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self._connection)


@contextmanager
def explained(connection: Connection) -> Iterator[None]:
    """The driver's errors carry the user's name and the host, never the password."""
    try:
        yield
    except Unavailable as error:  # whoever keeps the password
        raise SqlFailure(f"connection {connection.name!r}: {error.message}") from error
    except (pymysql.Error, OSError, RuntimeError, ValueError) as error:
        code = error.args[0] if error.args else None
        text = str(error.args[-1]) if error.args else type(error).__name__
        message = f"connection {connection.name!r}: {text}"
        raise SqlFailure(message, retry=code not in _PERMANENT) from error


def let_go(db: Any, cursor: Any) -> None:
    """Close without reading what the server still sends."""
    result = vars(db).get("_result")
    if result is not None:  # else the driver fetches all remaining rows, be it a billion
        result.unbuffered_active = False
    if cursor is not None:
        cursor._result = None
    with suppress(Exception):
        db.close()


def first_row(connection: Connection, query: str, bindings: Bound, *, seconds: float) -> bool:
    """Whether the query returns a row; nothing is written, and no second row is read.

    Raises:
        SqlFailure: it cannot be asked, or the answer does not come in time.
    """
    with explained(connection):
        db = dial(connection, seconds=seconds)
    cursor = db.cursor(SSCursor)
    try:
        with explained(connection):
            _limit(db, seconds)
            with db.cursor() as ask:
                ask.execute("SELECT @@SESSION.sql_mode")
                lexis = mysql_lexis(str((ask.fetchone() or ("",))[0]))
                ask.execute("START TRANSACTION READ ONLY")
            used = {name: bindings[name] for name in names(query, lexis)}
            cursor.execute(pyformat(query, lexis), used)
            if not cursor.description:
                raise SqlFailure("the statement returns no rows; write a SELECT", retry=False)
            return cursor.fetchone() is not None
    finally:
        let_go(db, cursor)


def _limit(db: Any, seconds: float) -> None:
    """The server ends the query too: who has gone would not hear that it went on. MySQL, or else MariaDB."""
    with db.cursor() as ask:
        try:
            ask.execute("SET SESSION max_execution_time = %s", (int(seconds * 1000),))
        except pymysql.Error:
            ask.execute("SET SESSION max_statement_time = %s", (seconds,))


def lock_name(token: str) -> str:
    """At most 64 characters, whatever the token's length."""
    return f"noonday-{blake2b(token.encode(), digest_size=16).hexdigest()}"


def dial(connection: Connection, *, seconds: float) -> pymysql.Connection[Any]:
    """TLS is verified beyond this machine, unless the operator turns it off with ``?tls=off``."""
    keeper = connection.keeper
    if keeper is None:
        return _dialled(connection, connection.password, seconds)
    try:
        return _dialled(connection, keeper.current(), seconds)
    except pymysql.err.OperationalError as error:
        if error.args[0] != _ACCESS_DENIED:
            raise
        return _dialled(connection, keeper.renew(), seconds)  # it may have been changed


def _dialled(connection: Connection, password: str, seconds: float) -> pymysql.Connection[Any]:
    parts, options = urlsplit(connection.url), connection.options
    return pymysql.connect(
        host=parts.hostname or "localhost",
        port=parts.port or 3306,
        unix_socket=options.get("socket"),
        user=unquote(parts.username or ""),
        password=password,
        database=unquote(parts.path.removeprefix("/")) or None,
        charset="utf8mb4",
        connect_timeout=CONNECT_SECONDS,
        read_timeout=seconds,
        write_timeout=seconds,
        autocommit=False,
        **_tls(parts.hostname or "", options, always=connection.iam),
    )


def _tls(host: str, options: Mapping[str, str], *, always: bool) -> dict[str, Any]:
    """Databases of RDS are vouched for by Amazon's authorities, unless ``tls_ca`` names others."""
    mode = options.get("tls", "verify" if always or "tls_ca" in options else "")
    if mode == "off":
        return {"ssl_disabled": True}
    if mode == "verify" or (host not in _LOOPBACK and "socket" not in options):
        amazons = authorities_for(host)
        return {"ssl": _verified(options.get("tls_ca") or (str(amazons) if amazons else None))}
    return {}


@lru_cache(maxsize=16)
def _verified(authority: str | None) -> ssl.SSLContext:
    """Making one takes 20 ms: once a process."""
    return ssl.create_default_context(cafile=authority)
