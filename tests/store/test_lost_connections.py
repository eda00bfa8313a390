"""The line to the database breaks: nothing happens twice, nothing is half done, and it is said in words."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from chalicelib.engine.filters import EventFilter
from chalicelib.engine.ports import Transaction
from chalicelib.model.errors import Unavailable
from chalicelib.store import SqlStore, open_store
from tests.databases import SERVERS, Server
from tests.store.builders import JOB, NOON, a_job, an_event, an_id, an_instance, insert_jobs
from tests.store.wire import CUT, WAIT_S, Wire, wire_to

Send = Callable[[], None]


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    with wire_to(server.host, server.port) as found:
        yield found


@pytest.fixture
def store(server: Server, wire: Wire) -> Iterator[SqlStore]:
    """A store behind the wire, with one job."""
    database = server.empty(0).rpartition("/")[2]
    found = open_store(server.url(database, port=wire.port))
    insert_jobs(found, a_job())
    yield found
    found.close()


class Trigger:
    """A unit that does more each time it is run: only the store can keep it from happening twice."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, tx: Transaction) -> int:
        self.runs += 1
        tx.lock_jobs([JOB])
        free = tx.next_free_ms(JOB, NOON)
        tx.insert_instances([an_instance(nominal_ms=free)])
        tx.insert_events([an_event(self.runs)])
        return self.runs


def events(store: SqlStore) -> list[int]:
    found = store.read(lambda reader: reader.events(EventFilter(), None))
    return [int(event.id, 16) for event in found]


def instances(store: SqlStore) -> int:
    count = store.transact(lambda tx: tx.active_counts([JOB])).get((JOB, None), 0)
    return store.transact(lambda tx: tx.next_free_ms(JOB, NOON)) - NOON - 1 + count


def cut_once(wire: Wire, wanted: str, *, after: bool) -> None:
    """Cut the connection at the first statement that begins so: before it reaches the server, or after."""
    cuts: list[str] = []

    def on_statement(text: str, send: Send) -> str | None:
        if cuts or not text.startswith(wanted):
            return None
        cuts.append(text)
        if after:
            send()
        return CUT

    wire.on_statement = on_statement


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "statement",
    ["START", "SELECT j.id", "SELECT nominal_ms", "INSERT INTO scheduler_job_instances",
     "INSERT INTO scheduler_events", "INSERT INTO scheduler_writers", "COMMIT"],
)  # fmt: skip
def test_a_unit_happens_once_wherever_the_line_breaks(
    store: SqlStore, wire: Wire, statement: str, *, after: bool
) -> None:
    cut_once(wire, statement, after=after)
    trigger = Trigger()
    result = store.transact(trigger)
    assert events(store) == [result]
    assert instances(store) == 1
    kept = statement == "COMMIT" and after
    not_begun = statement == "START"
    assert trigger.runs == result == (1 if kept or not_begun else 2)


def test_a_commit_that_arrives_late_is_waited_for(store: SqlStore, wire: Wire) -> None:
    """The client has long been cut off when the server reads the COMMIT: looking too early would repeat."""
    asked = threading.Event()
    seen: list[str] = []

    def on_statement(text: str, send: Send) -> str | None:
        if text == "COMMIT" and not seen:
            seen.append(text)
            wire.cut_all()
            assert asked.wait(WAIT_S)
            send()
            return CUT
        if "scheduler_writers WHERE" in text:
            threading.Timer(0.2, asked.set).start()  # the question is on its way, and has to wait
        return None

    wire.on_statement = on_statement
    trigger = Trigger()
    assert store.transact(trigger) == 1
    assert asked.is_set()
    assert trigger.runs == 1
    assert events(store) == [1]


def test_a_commit_nobody_can_ask_about_is_said_so(store: SqlStore, wire: Wire) -> None:
    def on_statement(text: str, send: Send) -> str | None:
        if text != "COMMIT":
            return None
        wire.refusing = True
        send()
        return CUT

    wire.on_statement = on_statement
    trigger = Trigger()
    with pytest.raises(Unavailable, match="the answer to a COMMIT was lost, and what became of it"):
        store.transact(trigger)
    assert trigger.runs == 1
    wire.on_statement = lambda _, __: None
    wire.refusing = False
    assert events(store) == [1]


def test_a_store_outlives_its_connections(store: SqlStore, wire: Wire) -> None:
    """Eight idle connections die at once: the next unit does not try them one by one."""
    barrier = threading.Barrier(8)
    threads = [
        threading.Thread(target=store.read, args=(lambda _: barrier.wait(WAIT_S),))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    for look in (store.database_now_ms, lambda: store.transact(Trigger()), lambda: events(store)):
        wire.cut_all()
        assert look()


def test_an_outage_is_unavailable_and_over_when_it_is_over(store: SqlStore, wire: Wire) -> None:
    wire.refusing = True
    wire.cut_all()
    for call in (lambda: store.transact(Trigger()), lambda: events(store), store.database_now_ms):
        with pytest.raises(Unavailable) as caught:
            call()
        assert caught.value.retry_after > 0
        assert "pymysql" not in str(caught.value)
    wire.refusing = False
    assert store.transact(Trigger()) == 1


def test_a_server_that_is_not_there(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    store = open_store(server.url("noonday", port=port))
    with pytest.raises(Unavailable, match=r"cannot be reached .*; is the server up, and is this"):
        store.read(lambda reader: reader.owners())
    with pytest.raises(Unavailable, match="and is this its address"):
        store.migrate(NOON)


def test_a_database_that_is_not_there(server: Server) -> None:
    store = open_store(server.url("noonday_nowhere"))
    with pytest.raises(Unavailable, match="create the database first"):
        store.transact(lambda tx: tx.insert_owner("red", NOON))


def test_a_killed_connection_is_replaced(store: SqlStore, server: Server) -> None:
    def unit(tx: Transaction) -> None:
        tx.insert_events([an_event(1)])
        if not killed:
            for row in server.execute("SELECT id, db FROM information_schema.processlist"):
                if row[1] and row[1] in store.describe():
                    killed.append(row[0])
                    server.execute(f"KILL {row[0]}")

    killed: list[int] = []
    store.transact(unit)
    assert killed
    assert events(store) == [1]
    assert store.read(lambda reader: reader.job(an_id(9), None)) is None
