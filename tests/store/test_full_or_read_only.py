"""A server that has no connection to give, or takes no changes: waited for, told in words, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pymysql
import pytest

from chalicelib.api.problems import refusal
from chalicelib.engine.filters import EventFilter
from chalicelib.engine.ports import Transaction
from chalicelib.model.errors import Unavailable
from chalicelib.store import SqlStore, read_address
from chalicelib.store.address import Mysql
from chalicelib.store.mysql import MysqlDriver
from tests.databases import SERVERS, Server
from tests.store.builders import JOB, a_job, an_event, insert_jobs

USER = "noonday_many"
AT_ONCE = 12


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


class Application:
    """Stores of many processes, each with one connection, as a user that is nobody special."""

    def __init__(self, server: Server, database: str) -> None:
        self.server = server
        self.database = database
        self.pauses: list[float] = []

    def store(self) -> SqlStore:
        address = read_address(
            f"mysql://{USER}@{self.server.host}:{self.server.port}/{self.database}"
        )
        assert isinstance(address, Mysql)
        driver = MysqlDriver(address, None, None, connections=1)
        return SqlStore(driver, pause=self.pauses.append)

    def events(self) -> list[int]:
        with closing(self.store()) as store:
            found = store.read(lambda reader: reader.events(EventFilter(limit=500), None))
        return sorted(int(event.id, 16) for event in found)


@pytest.fixture
def application(server: Server) -> Iterator[Application]:
    database = server.empty(0).rpartition("/")[2]
    server.execute(f"DROP USER IF EXISTS {USER}")
    server.execute(f"CREATE USER {USER}")
    server.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.* TO {USER}")
    made = Application(server, database)
    with closing(made.store()) as store:
        insert_jobs(store, a_job())
    yield made
    server.execute("SET GLOBAL max_connections = DEFAULT")
    server.execute(f"DROP USER {USER}")


def limited_by_user(server: Server, most: int) -> None:
    server.execute(f"ALTER USER {USER} WITH MAX_USER_CONNECTIONS {most}")


def test_whoever_gets_none_is_told_when_to_come_again(application: Application) -> None:
    limited_by_user(application.server, 1)
    with closing(application.store()) as first, closing(application.store()) as second:
        first.database_now_ms()  # it keeps its connection
        with pytest.raises(Unavailable, match="too many connections") as raised:
            second.database_now_ms()
        assert len(application.pauses) == 4
        assert min(application.pauses) >= 0.5
        answer = refusal(raised.value)
        assert answer.status_code == 503
        assert int(str(answer.headers["Retry-After"])) > 0
        first.close()
        second.database_now_ms()


def test_many_at_once_lose_nothing(application: Application) -> None:
    """As functions without a bound: those that are refused come again, as their callers do."""
    limited_by_user(application.server, 3)

    def one(number: int) -> int:
        refused = 0
        while True:
            with closing(application.store()) as store:
                try:
                    store.transact(lambda tx: tx.insert_events([an_event(number)]))
                except Unavailable:
                    refused += 1
                else:
                    return refused

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, range(1, 49)))
    assert application.events() == list(range(1, 49))


def test_a_server_that_is_full(application: Application, request: pytest.FixtureRequest) -> None:
    if "mysql" in request.node.callspec.id:
        pytest.skip("others use that server; error 1040 is the same there")
    server = application.server
    server.execute("SET GLOBAL max_connections = 10")
    taken = [
        pymysql.connect(host=server.host, port=server.port, user=USER, ssl_disabled=True)
        for _ in range(10)
    ]
    with closing(application.store()) as store:
        with pytest.raises(Unavailable, match="1040"):
            store.database_now_ms()
        for connection in taken:
            connection.close()
        store.database_now_ms()


@pytest.fixture
def read_only(application: Application, request: pytest.FixtureRequest) -> Iterator[Server]:
    if "mysql" in request.node.callspec.id:
        pytest.skip("others use that server")
    yield application.server
    application.server.execute("SET GLOBAL read_only = 0")


def test_a_standby_is_left_for_another_server(application: Application, read_only: Server) -> None:
    """What it had is closed, so that the name of the server is looked up again."""
    with closing(application.store()) as store:
        [[before]] = _connection(store)
        read_only.execute("SET GLOBAL read_only = 1")
        with pytest.raises(Unavailable, match="takes no changes now"):
            store.transact(lambda tx: tx.insert_events([an_event(1)]))
        assert store.read(lambda reader: reader.events(EventFilter(), None)) == []
        read_only.execute("SET GLOBAL read_only = 0")
        store.transact(lambda tx: tx.insert_events([an_event(1)]))
        [[after]] = _connection(store)
        assert before != after
    assert application.events() == [1]


def test_it_becomes_a_standby_in_the_middle(application: Application, read_only: Server) -> None:
    """Also between the last change and the COMMIT, which it refuses: the unit is run again, once."""
    runs = []

    def unit(tx: Transaction) -> None:
        runs.append(1)
        tx.lock_jobs([JOB])
        tx.insert_events([an_event(len(runs))])
        if len(runs) == 1:
            read_only.execute("SET GLOBAL read_only = 1")

    def back(seconds: float) -> None:
        application.pauses.append(seconds)
        read_only.execute("SET GLOBAL read_only = 0")

    with closing(application.store()) as store:
        store._pause = back
        store.transact(unit)
    assert application.events() == [len(runs)]


@pytest.mark.parametrize("moment", ["between", "inside"])
def test_a_connection_that_was_killed(application: Application, moment: str) -> None:
    """By the server's wait_timeout while a process slept, or by an administrator."""
    killed: list[int] = []
    server = application.server

    def unit(tx: Transaction) -> None:
        tx.insert_events([an_event(7)])
        if moment == "inside" and not killed:
            killed.append(_kill(server))

    with closing(application.store()) as store:
        store.database_now_ms()
        if moment == "between":
            _kill(server)
        store.transact(unit)
    assert application.events() == [7]


def _kill(server: Server) -> int:
    [[number]] = server.execute(
        f"SELECT id FROM information_schema.processlist WHERE user = '{USER}'"
    )
    server.execute(f"KILL {number}")
    return int(number)


def _connection(store: SqlStore) -> list[tuple[int]]:
    with store._driver.reading() as link:
        return [(int(row[0]),) for row in link.query("SELECT CONNECTION_ID()", {})]
