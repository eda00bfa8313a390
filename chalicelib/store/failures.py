"""What a database does to a unit of work, in the same words for every database.

Drivers raise these instead of their own exceptions; only ``Unavailable`` leaves the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Repeat(Exception):
    """The unit came to nothing and may succeed when it is run again as a whole.

    ``lost``: the connection is gone, and those that were opened with it are suspect.
    """

    def __init__(self, message: str, *, lost: bool = False) -> None:
        super().__init__(message)
        self.lost = lost


class ReadOnly(Repeat):
    """The server takes no changes, nor the COMMIT of any: another one has taken its place, or will."""

    def __init__(self, message: str) -> None:
        super().__init__(message, lost=True)


class Full(Repeat):
    """The server has no connection to give. Those who have one give it back before long."""


class CommitLost(Repeat):
    """The connection broke between the COMMIT and its answer: only the database knows what happened.

    ``signature``: what the unit wrote last, by which it can be recognised.
    """

    def __init__(self, message: str, signature: Mapping[str, Any]) -> None:
        super().__init__(message, lost=True)
        self.signature = signature


class Duplicate(Exception):
    """A row of that key exists; the statement did nothing, the transaction goes on."""


class ConstraintViolated(Exception):
    """The schema refused a row that the program must never write: an error in the program."""


class ColumnExists(Exception):
    """An ALTER TABLE was made before."""


class NoSuchTable(Exception):
    """The schema does not have it (yet)."""
