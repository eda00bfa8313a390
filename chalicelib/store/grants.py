"""What the application's user may do in the database: what every statement of the program needs, and no more.

No DDL: an application that is taken over can neither drop a table nor give anybody a right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")
_GRANT = re.compile(r"GRANT (?P<what>.+?) ON (?P<on>.+?) TO (?P<rest>.+)", re.DOTALL)
_ROLE = re.compile(r"GRANT (?P<what>.+?) TO .+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Grant:
    """``what`` as the server words it; ``on`` None: a role."""

    what: str
    on: str | None

    def __str__(self) -> str:
        return self.what if self.on is None else f"{self.what} ON {self.on}"


def place_of(database: str) -> str:
    """All tables of the database; in a grant ``_`` and ``%`` of its name would be wildcards."""
    literal = re.sub(r"([_%\\])", r"\\\1", database).replace("`", "``")
    return f"`{literal}`.*"


def excess(shown: Iterable[str], place: str) -> Sequence[Grant]:
    """What SHOW GRANTS lists beyond the privileges there."""
    return [one for text in shown for one in _read(text) if not _is_wanted(one, place)]


def is_complete(shown: Iterable[str], place: str) -> bool:
    held = {one.what for text in shown for one in _read(text) if one.on == place}
    return held >= set(PRIVILEGES)


def _is_wanted(grant: Grant, place: str) -> bool:
    if grant.what == "USAGE":  # which is nothing
        return True
    return grant.on == place and grant.what in PRIVILEGES


def _read(text: str) -> Iterator[Grant]:
    found = _GRANT.fullmatch(text)
    if found is None:
        role = _ROLE.fullmatch(text)
        if role is not None:
            yield Grant(role["what"], None)
        return
    if found["rest"].endswith("WITH GRANT OPTION"):
        yield Grant("GRANT OPTION", found["on"])
    # Privileges on columns hold commas of their own, and none of them is wanted.
    pieces = [found["what"]] if "(" in found["what"] else found["what"].split(", ")
    yield from (Grant(piece, found["on"]) for piece in pieces)
