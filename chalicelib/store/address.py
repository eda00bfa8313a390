"""Where the database is: the URL, read and checked. It never holds a password."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from chalicelib.model.errors import InvalidInput, Problem

FIELD = "database"
FORMS = "sqlite:///relative.db, sqlite:////absolute.db, sqlite:// (memory), mysql://user@host:port/database"


@dataclass(frozen=True, slots=True)
class Sqlite:
    """``path`` None: in memory, gone when the store is closed."""

    path: Path | None

    def __str__(self) -> str:
        return "sqlite://" if self.path is None else f"sqlite:///{self.path}"


@dataclass(frozen=True, slots=True)
class Mysql:
    """``socket``: a Unix socket's path, used instead of host and port."""

    user: str
    host: str
    port: int
    database: str
    socket: str | None = None

    @property
    def loopback(self) -> bool:
        """Whether no byte leaves this machine."""
        if self.socket is not None or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        shown = f"mysql://{self.user}@{host}:{self.port}/{self.database}"
        return shown if self.socket is None else f"{shown}?unix_socket={self.socket}"


Address = Sqlite | Mysql


def read_address(url: str) -> Address:
    """The URL's parts.

    Raises:
        InvalidInput: it has no form that is known, or it carries a password; the password is not repeated.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite":
        return _sqlite(rest)
    if separator and scheme == "mysql":
        return _mysql(url)
    raise _bad(f"begins with neither sqlite:// nor mysql://; write {FORMS}")


def _sqlite(rest: str) -> Sqlite:
    if rest in ("", "/"):
        return Sqlite(None)
    if not rest.startswith("/"):
        raise _bad(f"names a host; a file is written with three slashes or four: {FORMS}")
    return Sqlite(Path(unquote(rest[1:])))


def _mysql(url: str) -> Mysql:
    try:
        parts = urlsplit(url)
        port = parts.port or 3306
    except ValueError as error:
        raise _bad(f"cannot be read ({error}); write {FORMS}") from None
    if parts.password is not None:
        raise _bad(
            "carries a password, and URLs are logged; leave it out and set "
            "NOONDAY_DATABASE_PASSWORD instead"
        )
    database = unquote(parts.path[1:])
    if not parts.username or not database or "/" in database:
        raise _bad("names no user or no database; write mysql://user@host:port/database")
    sockets = parse_qs(parts.query).get("unix_socket", [None])
    host = parts.hostname or "localhost"
    return Mysql(unquote(parts.username), host, port, database, sockets[0])


def _bad(message: str) -> InvalidInput:
    return InvalidInput([Problem(FIELD, message)])
