"""The command that brings a schema up to this program: ``python -m chalicelib.store.migrate URL``.

A password comes from NOONDAY_DATABASE_PASSWORD, as everywhere. Ends with 0, or with 1 and the reason.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from typing import TextIO

from chalicelib.model.errors import NoondayError
from chalicelib.settings import environment
from chalicelib.store import Tls, open_store

USAGE = "usage: python -m chalicelib.store.migrate URL (sqlite:///PATH or mysql://USER@HOST:PORT/DATABASE)"


def migrate_database(
    url: str, *, password: str | None = None, tls: Tls | None = None
) -> Sequence[str]:
    """Bring the schema at the URL up to this program; the names of what was applied.

    Safe to repeat, and safe beside others that do the same.

    Raises:
        InvalidInput: the URL cannot be read.
        Unavailable: the database cannot be reached.
    """
    with closing(open_store(url, password=password, tls=tls)) as store:
        return store.migrate(store.database_now_ms())


def main(arguments: Sequence[str], password: str | None, out: TextIO, err: TextIO) -> int:
    """The command line; the exit code."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        err.write(f"{USAGE}\n")
        return 2
    try:
        applied = migrate_database(arguments[0], password=password)
    except NoondayError as error:
        err.write(f"{error.message}\n")
        return 1
    out.writelines(f"applied {name}\n" for name in applied)
    out.write("the schema is up to date\n")
    return 0


if __name__ == "__main__":
    sys.exit(
        main(sys.argv[1:], environment().get("NOONDAY_DATABASE_PASSWORD"), sys.stdout, sys.stderr)
    )
