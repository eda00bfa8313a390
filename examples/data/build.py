"""Write ``zones.sql`` from the tables of IANA's time zone database that the package ``tzdata`` carries.

Both tables, ``zone1970.tab`` and ``iso3166.tab``, say of themselves that they are in the public domain.
Run it after the pins have moved to a newer tzdata: ``python examples/data/build.py``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

FILE = Path(__file__).with_name("zones.sql")
HEAD = """\
-- The world's time zones and the countries that use them.
-- From zone1970.tab and iso3166.tab of IANA's time zone database {version}, which are in the public domain:
-- https://www.iana.org/time-zones. Written by examples/data/build.py.

CREATE TABLE countries (code TEXT PRIMARY KEY, name TEXT NOT NULL);

-- place: the city that gives the zone its name; degrees, north and east are positive
CREATE TABLE zones (
  zone TEXT PRIMARY KEY,
  place TEXT NOT NULL,
  latitude REAL NOT NULL,
  longitude REAL NOT NULL
);

-- main: 1 for the country that the place is in
CREATE TABLE zone_countries (
  zone TEXT NOT NULL REFERENCES zones,
  code TEXT NOT NULL REFERENCES countries,
  main INTEGER NOT NULL,
  PRIMARY KEY (zone, code)
);
"""
COORDINATES = re.compile(r"([+-]\d{4,6})([+-]\d{5,7})")


def lines_of(table: str) -> list[str]:
    file = resources.files("tzdata.zoneinfo").joinpath(table)
    return file.read_text(encoding="utf-8").splitlines()


def rows_of(table: str) -> Iterator[list[str]]:
    for line in lines_of(table):
        if line and not line.startswith("#"):
            yield line.split("\t")


def degrees(text: str, whole: int) -> float:
    """``+5230`` or ``-0690022``: a sign, ``whole`` digits of degrees, then minutes and perhaps seconds."""
    sign = -1 if text[0] == "-" else 1
    parts = (text[1 : 1 + whole], text[1 + whole : 3 + whole], text[3 + whole :] or "0")
    value = sum(int(part) / divisor for part, divisor in zip(parts, (1, 60, 3600), strict=True))
    return sign * round(value, 4)


def inserts() -> Iterator[str]:
    for code, name in rows_of("iso3166.tab"):
        yield _insert("countries", code, name)
    for codes, coordinates, zone, *_ in rows_of("zone1970.tab"):
        match = COORDINATES.fullmatch(coordinates)
        if match is None:
            sys.exit(f"{zone}: {coordinates!r} are no coordinates")
        place = zone.rpartition("/")[2].replace("_", " ")
        yield _insert("zones", zone, place, degrees(match[1], 2), degrees(match[2], 3))
        for index, code in enumerate(codes.split(",")):
            yield _insert("zone_countries", zone, code, int(index == 0))


def _insert(table: str, *values: str | float) -> str:
    return " ".join(("INSERT INTO", table, "VALUES", f"({', '.join(map(_literal, values))});"))


def _literal(value: str | float) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def script() -> str:
    """The whole file."""
    version = lines_of("tzdata.zi")[0].removeprefix("# version ")
    return "\n".join((HEAD.format(version=version), *inserts(), ""))


if __name__ == "__main__":
    FILE.write_text(script(), encoding="utf-8")
