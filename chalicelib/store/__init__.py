"""The state store: the only SQL. ``open_store`` is all that others need of it."""

from __future__ import annotations

from chalicelib.store.address import Sqlite, read_address
from chalicelib.store.passwords import Passwords
from chalicelib.store.store import SqlStore
from chalicelib.store.tls import Tls

__all__ = ["Passwords", "SqlStore", "Tls", "open_store", "read_address"]


def open_store(
    url: str,
    *,
    password: str | Passwords | None = None,
    tls: Tls | None = None,
    connections: int = 8,
) -> SqlStore:
    """The store at that URL; connections are opened when they are needed.

    ``tls``: None lets a database on this machine go without, and verifies every other one with the
    system's authorities. ``connections``: how many it opens at most; a file needs no limit.

    Raises:
        InvalidInput: the URL cannot be read, or it carries a password.
    """
    address = read_address(url)
    if isinstance(address, Sqlite):
        from chalicelib.store.sqlite import SqliteDriver  # noqa: PLC0415  MySQL needs no sqlite3

        return SqlStore(SqliteDriver(address))
    from chalicelib.store.mysql import MysqlDriver  # noqa: PLC0415  SQLite needs no PyMySQL

    return SqlStore(MysqlDriver(address, password, tls, connections=connections))
