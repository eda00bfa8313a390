"""The schema's versions: numbered files, applied in order, under a lock, each recorded.

A file holds one DDL statement that may be repeated (SQLite's hold a table with its indexes: there DDL
is transactional): a migrator that is killed between a statement and its record repeats it.

Releases expand first and contract later, so a program also works on a schema that is newer than itself.
A file that takes something away begins with ``-- needs program: N`` and shuts out programs that know
less than N files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from chalicelib.model.errors import Unavailable
from chalicelib.store.driver import Driver, Link
from chalicelib.store.failures import NoSuchTable
from chalicelib.store.statements import folder

VERSION = "schema_version"
OLDEST_PROGRAM = "oldest_program"
MIGRATED = "migrated_ms"
_FILE = re.compile(r"(\d{4})_\w+\.sql")
_NEEDS = re.compile(r"^-- needs program: (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    sql: str
    needs_program: int | None


@lru_cache(maxsize=2)
def migrations(dialect: str) -> Sequence[Migration]:
    """All of one database's, in order."""
    found = []
    for file in folder(dialect, "migrations").iterdir():
        match = _FILE.fullmatch(file.name)
        if match:
            sql = file.read_text(encoding="utf-8")
            needs = _NEEDS.search(sql)
            found.append(Migration(int(match[1]), file.name, sql, int(needs[1]) if needs else None))
    return sorted(found, key=lambda migration: migration.number)


def migrate(driver: Driver, now_ms: int) -> Sequence[str]:
    """Bring the schema up to this program; the names of the files that were applied, perhaps none.

    Several may do this at the same moment; a schema that is newer is left as it is.
    """
    applied = []
    with driver.migrating() as link:
        version = _version(_meta(driver, link))
        for migration in migrations(driver.dialect):
            if migration.number > version:
                link.script(migration.sql)
                if migration.needs_program is not None:
                    _record(driver, link, OLDEST_PROGRAM, migration.needs_program)
                _record(driver, link, MIGRATED, now_ms)
                _record(driver, link, VERSION, migration.number)
                applied.append(migration.name)
    return applied


def newest(driver: Driver) -> int:
    """The version that this program makes."""
    return migrations(driver.dialect)[-1].number


def schema_version(driver: Driver, link: Link) -> int:
    return _version(_meta(driver, link))


def check_schema(driver: Driver, link: Link) -> None:
    """Raises Unavailable when this program and the schema do not fit."""
    meta = _meta(driver, link)
    known = newest(driver)
    if _version(meta) < known:
        raise Unavailable(
            f"the schema of {driver.describe()} is at version {_version(meta)}, this program needs "
            f"{known}; run: python -m chalicelib.store.migrate '{driver.describe()}'",
            retry_after=60,
        )
    if int(meta.get(OLDEST_PROGRAM, "0")) > known:
        raise Unavailable(
            f"the schema of {driver.describe()} has moved on to version {_version(meta)}, which this "
            "program is too old for; deploy the newer one",
            retry_after=60,
        )


def _meta(driver: Driver, link: Link) -> Mapping[str, str]:
    try:
        found = link.query(driver.statements.text("meta", {}), {})
    except NoSuchTable:
        return {}
    return dict(found)


def _version(meta: Mapping[str, str]) -> int:
    return int(meta.get(VERSION, "0"))


def _record(driver: Driver, link: Link, name: str, value: int) -> None:
    row = {"name": name, "value": str(value)}
    if link.change(driver.statements.text("update_meta", row), row) == 0:
        link.change(driver.statements.text("insert_meta", row), row)
