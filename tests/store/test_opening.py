"""What a connection says when it is opened: nothing that makes RDS Proxy keep it for one client alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import pymysql
import pytest

from chalicelib.model.errors import Unavailable
from chalicelib.store import SqlStore, read_address
from chalicelib.store.address import Mysql
from chalicelib.store.mysql import MysqlDriver, MysqlSession
from infra.functions import declared
from infra.stage import Stage
from infra.template import merged
from tests.databases import SERVERS, Server
from tests.store.wire import Wire, wire_to

OURS = ("transaction_isolation", "sql_mode", "innodb_lock_wait_timeout", "time_zone")
GIVEN = "SET @@SESSION."
"""How a test gives a session what the server's configuration would."""
PINS = ("SET", "PREPARE", "LOCK", "CREATE TEMPORARY", "SELECT GET_LOCK")


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def configured() -> Mapping[str, str]:
    """What the stack's database gives every session, also those of its proxy."""
    resources = merged(declared(), Stage(name="dev"))["Resources"]
    group: Mapping[str, str] = resources["DatabaseParameters"]["Properties"]["Parameters"]
    return {**{name: group[name] for name in OURS}, "time_zone": "+00:00"}  # UTC needs its tables


@contextmanager
def opened(server: Server, configuration: Mapping[str, str]) -> Iterator[tuple[Wire, SqlStore]]:
    """A store whose sessions begin so."""
    mariadb = "MariaDB" in str(server.execute("SELECT VERSION()"))
    renamed = {"transaction_isolation": "tx_isolation"} if mariadb else {}
    values = (
        f"@@SESSION.{renamed.get(name, name)} = {value if value.isdigit() else repr(value)}"
        for name, value in configuration.items()
    )
    given = partial(pymysql.connect, init_command=f"SET {', '.join(values)}")
    with wire_to(server.host, server.port) as wire:
        address = read_address(server.url(server.empty(0).rpartition("/")[2], port=wire.port))
        assert isinstance(address, Mysql)
        store = SqlStore(MysqlDriver(address, None, None, connect=given))
        yield wire, store
        store.close()


def said(wire: Wire) -> list[str]:
    """Without what stands for the configuration, and what the driver says by itself: RDS Proxy follows
    character sets."""
    return [one for one in wire.statements if not one.startswith((GIVEN, "SET NAMES"))]


def test_a_session_that_is_as_it_should_be_is_left_alone(
    server: Server, configured: Mapping[str, str]
) -> None:
    with opened(server, configured) as (wire, store):
        store.database_now_ms()
        [asked, _] = said(wire)
    assert asked.startswith("SELECT @@SESSION")


def test_nothing_afterwards_makes_a_proxy_keep_it(
    server: Server, configured: Mapping[str, str]
) -> None:
    with opened(server, configured) as (wire, store):
        store.transact(lambda tx: tx.note("a note", "of the test"))
        store.read(lambda reader: reader.noted("a note"))
        statements = said(wire)
    assert [one for one in statements if one.startswith(PINS)] == []
    assert [one for one in statements if "FOUND_ROWS" in one or "ROW_COUNT" in one] == []
    assert [one for one in statements if "/*!" in one or "/*M!" in one] == []


@pytest.mark.parametrize(
    ("name", "value", "set_"),
    [
        ("innodb_lock_wait_timeout", "50", "SET SESSION innodb_lock_wait_timeout = 3"),
        ("transaction_isolation", "SERIALIZABLE", "SET SESSION TRANSACTION ISOLATION LEVEL"),
        ("sql_mode", "ANSI_QUOTES", "SET SESSION sql_mode = 'STRICT_ALL_TABLES"),
        ("time_zone", "+02:00", "SET SESSION time_zone = '+00:00'"),
    ],
)
def test_what_is_otherwise_is_set_and_asked_again(
    server: Server, configured: Mapping[str, str], name: str, value: str, set_: str
) -> None:
    with opened(server, {**configured, name: value}) as (wire, store):
        store.database_now_ms()
        [first, made, again, _] = said(wire)
    assert made.startswith(set_)
    assert first == again


def test_a_session_that_does_not_become_strict_is_refused(
    server: Server, configured: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something in between swallows what is set."""
    monkeypatch.setattr(MysqlSession, "differences", lambda *_: [])
    with (
        opened(server, {**configured, "sql_mode": ""}) as (_, store),
        pytest.raises(Unavailable, match="strict mode"),
    ):
        store.database_now_ms()
