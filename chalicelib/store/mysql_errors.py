"""What MySQL's error numbers mean for a unit of work."""

from __future__ import annotations

import ssl

import pymysql

from chalicelib.model.errors import Unavailable
from chalicelib.store.address import Mysql
from chalicelib.store.failures import (
    ColumnExists,
    ConstraintViolated,
    Duplicate,
    Full,
    NoSuchTable,
    ReadOnly,
    Repeat,
)

DUPLICATE = 1062
NO_SUCH_TABLE = 1146
COLUMN_EXISTS = frozenset({1060, 1061})  # or the key that is added with it
# Record has changed since last read, lock wait time-out, deadlock: the unit lost against a neighbour.
CONTENTION = frozenset({1020, 1205, 1213})
# Shut-down; killed; the server or the line went away, in all their spellings.
LOST = frozenset({1053, 1077, 1158, 1159, 1160, 1161, 1317, 1927, 2006, 2013, 2055, 4031})
# Too many connections: of the server, of this user by the server's limit, by its own.
TOO_MANY = frozenset({1040, 1203, 1226})
# It became a standby, or is going to: --read-only, InnoDB's own mode, a session that may only read.
READ_ONLY = frozenset({1290, 1792, 1836})
CHECKS = frozenset({3819, 4025})  # of MySQL and of MariaDB; PyMySQL calls them operational
FIRST_OF_SQL = 1000  # numbers below are of files and memory
DENIED = frozenset({1044, 1045, 1698, 1227, 1142})
UNKNOWN_DATABASE = 1049


def translated(error: Exception, address: Mysql) -> Exception:
    """The failure of a statement, in the store's words."""
    number = _number(error)
    if number == DUPLICATE:
        return Duplicate(str(error))
    if number == NO_SUCH_TABLE:
        return NoSuchTable(str(error))
    if number in COLUMN_EXISTS:
        return ColumnExists(str(error))
    if number in CONTENTION:
        return Repeat(f"too many wanted the same rows (error {number})")
    if number in READ_ONLY:
        return ReadOnly(f"{address} takes no changes now (error {number})")
    if number in TOO_MANY:
        return Full(f"{address} has too many connections (error {number})", lost=True)
    if number in LOST or isinstance(error, OSError | pymysql.err.InterfaceError):
        return Repeat(f"the connection was lost ({_words(error)})", lost=True)
    if _is_its_own_trouble(error, number):
        return Unavailable(f"{address} does not work: {_words(error)}")
    return ConstraintViolated(_words(error))


def unreachable(error: Exception, address: Mysql) -> Exception:
    """Why no connection came about, and what would help."""
    number = _number(error)
    if number in TOO_MANY:
        return Full(f"{address} has too many connections (error {number})")
    if number in DENIED:
        hint = "check the user and NOONDAY_DATABASE_PASSWORD"
    elif number == UNKNOWN_DATABASE:
        hint = "create the database first"
    elif isinstance(error, RuntimeError | ValueError):  # it cannot, or cannot encrypt one so long
        hint = "this server takes a password only over TLS: give the file of its authorities"
    elif isinstance(error.__cause__ or error.__context__, ssl.SSLCertVerificationError):
        hint = "the server's certificate is not trusted: give the file of its authorities"
    else:
        hint = "is the server up, and is this its address?"
    return Unavailable(f"{address} cannot be reached ({_words(error)}); {hint}")


def is_denied(error: Exception) -> bool:
    """Whether it is the user or the password that was refused."""
    return _number(error) in DENIED


def _is_its_own_trouble(error: Exception, number: int | None) -> bool:
    """A full disk, a read-only replica, a file that is gone: no fault of the statement."""
    if number is not None and number < FIRST_OF_SQL:
        return True
    return isinstance(error, pymysql.err.OperationalError) and number not in CHECKS


def _number(error: Exception) -> int | None:
    first = error.args[0] if isinstance(error, pymysql.err.Error) and error.args else None
    return first if isinstance(first, int) else None


def _words(error: Exception) -> str:
    """Without the driver's tuple; PyMySQL puts no password into its messages, and neither do servers."""
    words = error.args[-1] if error.args else type(error).__name__
    number = _number(error)
    return f"{words}" if number is None else f"{number}: {words}"
