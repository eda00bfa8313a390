"""MySQL 8 and later, MariaDB 10.6 and later.

READ COMMITTED, strict, short lock waits. A unit that loses a deadlock, a lock wait or its connection
comes to nothing and is repeated as a whole: after error 1205 the transaction is half alive, and a
COMMIT would keep part of it.

**A COMMIT whose answer is lost.** Whether it happened, only the database knows. Every unit that changed
something therefore ends with one more statement: it writes its number into this connection's row of
``scheduler_writers``. If the answer to the COMMIT does not arrive, another connection locks that row,
which waits until the lost transaction is decided, and reads the number: there, the unit was committed
and its result stands; not there, it is repeated. So nothing is done twice, whatever the unit did.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import pymysql
from pymysql.constants import CLIENT

from chalicelib.model.errors import Unavailable
from chalicelib.store.address import Mysql
from chalicelib.store.driver import Link, Parameters, Row
from chalicelib.store.failures import ColumnExists, CommitLost, ReadOnly, Repeat
from chalicelib.store.mysql_errors import is_denied, translated, unreachable
from chalicelib.store.passwords import Passwords
from chalicelib.store.pool import Pool
from chalicelib.store.statements import Statements, pyformat, statements_of
from chalicelib.store.tls import Tls, context_of

SIZE = 8
CONNECT_S = 5
ANSWER_S = 20
LOCK_WAIT_S = 3
MIGRATION_WAIT_S = 60
STRICT = "STRICT_ALL_TABLES"
MODES = f"{STRICT},NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"

ISOLATION = "READ-COMMITTED"
UTC = frozenset({"UTC", "+00:00"})
ASKED = (
    "SELECT @@SESSION.{isolation}, @@SESSION.sql_mode, @@SESSION.innodb_lock_wait_timeout, "
    "@@SESSION.time_zone, UUID(), VERSION()"
)

R = TypeVar("R")
Connect = Callable[..., Any]
"""``pymysql.connect``, or what a test puts in its place."""


@dataclass(frozen=True, slots=True)
class MysqlSession:
    """What a session says of itself, in the order of ``ASKED``."""

    isolation: str
    sql_mode: str
    lock_wait_s: int
    zone: str
    identity: str
    version: str

    @property
    def modes(self) -> frozenset[str]:
        return frozenset(self.sql_mode.split(","))

    def differences(self, lock_wait_s: int) -> Sequence[str]:
        """What is to be set of it."""
        wrong = []
        if self.modes != frozenset(MODES.split(",")):
            wrong.append(f"sql_mode = '{MODES}'")
        if self.lock_wait_s != lock_wait_s:
            wrong.append(f"innodb_lock_wait_timeout = {lock_wait_s}")
        if self.zone not in UTC:
            wrong.append("time_zone = '+00:00'")
        return wrong


class MysqlLink:
    """One connection. Its ``identity`` names its row in ``scheduler_writers``."""

    def __init__(self, connection: Any, address: Mysql, statements: Statements) -> None:
        self._connection = connection
        self._address = address
        self._statements = statements
        self._unit = 0
        self._changed = False
        self._begun = False
        self.usable = True
        self.identity = ""

    def prepare(self, lock_wait_s: int) -> None:
        """The session that every statement relies on: asked for, and set where it differs.

        Nothing is set where the server is configured so already, as the stack's is: that saves two
        statements, and RDS Proxy keeps a connection for one client alone once its lock wait was set.
        """
        session = self._session()
        if session.isolation != ISOLATION:
            self._execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {ISOLATION.replace('-', ' ')}")
        wrong = session.differences(lock_wait_s)
        if wrong:
            self._execute(f"SET SESSION {', '.join(wrong)}")
        if wrong or session.isolation != ISOLATION:
            session = self._session()
        if too_old(session.version):
            raise Unavailable(
                f"{self._address} is {session.version}; Noonday needs MySQL 8.0.16 or MariaDB 10.6, "
                "or newer"
            )
        if session.isolation != ISOLATION or STRICT not in session.modes:
            said = f"{', '.join(sorted(session.modes))}, {session.isolation}"
            raise Unavailable(f"{self._address} does not keep to strict mode; it says {said!r}")
        self.identity = session.identity

    def _session(self) -> MysqlSession:
        """MariaDB calls the isolation as MySQL did."""
        mariadb = "mariadb" in str(self._connection.get_server_info()).lower()
        [row] = self.query(
            ASKED.format(isolation=f"{'tx' if mariadb else 'transaction'}_isolation"), {}
        )
        return MysqlSession(*row)

    def query(self, sql: str, parameters: Parameters) -> Sequence[Row]:
        def run() -> Sequence[Row]:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                found: Sequence[Row] = cursor.fetchall()
                return found

        return self._run(run)

    def change(self, sql: str, parameters: Parameters) -> int:
        self._changed = True
        return self._execute(sql, parameters)

    def script(self, sql: str) -> None:
        """MySQL has no ADD COLUMN IF NOT EXISTS: a migrator that was killed before its record repeats it."""
        with suppress(ColumnExists):
            self._execute(sql)

    def begin(self, *, write: bool) -> None:
        """Reads need no transaction: each statement of READ COMMITTED has its own view anyway."""
        self._changed = False
        if write:
            self._execute("START TRANSACTION READ WRITE")
            self._begun = True

    def commit(self) -> None:
        if self._changed:
            self._unit += 1
            self._execute(self._statements.text("sign_unit", {}), self._signature())
        try:
            self._execute("COMMIT")
        except Repeat as failure:
            if failure.lost and self._changed and not isinstance(failure, ReadOnly):
                raise CommitLost(str(failure), self._signature()) from failure
            raise
        self._begun = False

    def rollback(self) -> None:
        try:
            if self.usable and self._begun:
                self._execute("ROLLBACK")
                self._begun = False
        except (Repeat, Unavailable):
            self.usable = False

    def alive(self) -> bool:
        try:
            self._run(lambda: self._connection.ping(reconnect=False))
        except (Repeat, Unavailable):
            return False
        return True

    def close(self) -> None:
        self.usable = False
        try:
            self._connection.close()
        except pymysql.err.Error:
            return

    def _signature(self) -> Parameters:
        return {"writer": self.identity, "unit": self._unit}

    def _execute(self, sql: str, parameters: Parameters | None = None) -> int:
        def run() -> int:
            with self._connection.cursor() as cursor:
                return int(cursor.execute(sql, parameters))

        return self._run(run)

    def _run(self, call: Callable[[], R]) -> R:
        try:
            return call()
        except (pymysql.err.Error, OSError) as error:
            failure = translated(error, self._address)
            if isinstance(failure, Unavailable) or getattr(failure, "lost", False):
                self.usable = False
            raise failure from error


def too_old(version: str) -> bool:
    """Whether the server lacks SKIP LOCKED, JSON_TABLE or CHECK."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    return numbers < ((10, 6) if "mariadb" in version.lower() else (8, 0, 16))


class MysqlDriver:
    """All connections to one MySQL or MariaDB database."""

    dialect = "mysql"

    def __init__(
        self,
        address: Mysql,
        password: str | Passwords | None,
        tls: Tls | None,
        *,
        connect: Connect = pymysql.connect,
        lock_wait_s: int = LOCK_WAIT_S,
        connections: int = SIZE,
    ) -> None:
        self._address = address
        self._tls = tls or (None if address.loopback else Tls())
        self._connect = connect
        self._lock_wait_s = lock_wait_s
        self.__password = password
        self.statements = statements_of(self.dialect, pyformat)
        self._pool = Pool(self._open, connections)

    def __repr__(self) -> str:
        return f"MysqlDriver({self.describe()})"

    @contextmanager
    def writing(self) -> Iterator[Link]:
        with self._pool.lend() as link:
            yield link

    reading = writing

    @contextmanager
    def migrating(self) -> Iterator[Link]:
        """DDL commits by itself; the lock ends with the connection, also when its holder is killed."""
        link = self._open(answer_s=None)  # an index of a large table takes its time
        try:
            wait = {"wait_s": MIGRATION_WAIT_S}
            [[got]] = link.query(self.statements.text("lock_migrations", wait), wait)
            if got != 1:
                raise Unavailable(
                    f"somebody else has been migrating {self.describe()} for {MIGRATION_WAIT_S} seconds"
                )
            yield link
        finally:
            link.close()

    def was_committed(self, lost: CommitLost) -> bool:
        """Lock the row that the unit would have written last: that waits for the decision."""
        self._pool.close()
        try:
            with self._pool.lend() as link:
                link.begin(write=True)
                found = link.query(self.statements.text("signed_unit", {}), lost.signature)
                link.rollback()
        except (Repeat, Unavailable) as failure:
            raise Unavailable(
                f"{self.describe()}: the answer to a COMMIT was lost, and what became of it cannot be "
                f"asked ({failure}); look before you ask for the same again"
            ) from failure
        return list(found) == [(lost.signature["unit"],)]

    def describe(self) -> str:
        return str(self._address)

    def close(self) -> None:
        self._pool.close()

    def _open(self, answer_s: int | None = ANSWER_S) -> MysqlLink:
        link = MysqlLink(self._dial(answer_s), self._address, self.statements)
        try:
            link.prepare(self._lock_wait_s)
        except BaseException:
            link.close()
            raise
        return link

    def _dial(self, answer_s: int | None) -> Any:
        try:
            return self._admitted(answer_s)
        except (pymysql.err.Error, OSError, RuntimeError, ValueError) as error:
            raise unreachable(error, self._address) from error

    def _admitted(self, answer_s: int | None) -> Any:
        password = self.__password
        if password is None or isinstance(password, str):
            return self._connected(password or "", answer_s)
        try:
            return self._connected(password.current(), answer_s)
        except pymysql.err.OperationalError as error:
            if not is_denied(error):
                raise
            return self._connected(password.renew(), answer_s)  # it may have been changed

    def _connected(self, password: str, answer_s: int | None) -> Any:
        return self._connect(
            host=self._address.host,
            port=self._address.port,
            unix_socket=self._address.socket,
            user=self._address.user,
            password=password,
            database=self._address.database,
            charset="utf8mb4",
            autocommit=True,
            client_flag=CLIENT.FOUND_ROWS,
            connect_timeout=CONNECT_S,
            read_timeout=answer_s,
            write_timeout=answer_s,
            ssl=context_of(self._tls) if self._tls else None,
            ssl_disabled=self._tls is None,
        )
