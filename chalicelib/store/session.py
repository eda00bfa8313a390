"""One unit of work on one link: statements by name, and nothing more once the unit has failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from chalicelib.model.errors import Unavailable
from chalicelib.store.driver import Link, Row
from chalicelib.store.failures import Repeat
from chalicelib.store.rows import JsonRow, as_list, batches, slices
from chalicelib.store.statements import Statements


class Session:
    """Runs named statements. After a failure that ends the transaction every further call repeats it:
    a unit that swallows the exception must not go on outside of a transaction.
    """

    def __init__(self, link: Link, statements: Statements) -> None:
        self._link = link
        self._statements = statements
        self._failure: Repeat | Unavailable | None = None

    def query(self, name: str, /, **parameters: Any) -> Sequence[Row]:
        self.check()
        try:
            return self._link.query(self._statements.text(name, parameters), parameters)
        except (Repeat, Unavailable) as failure:
            self._failure = failure
            raise

    def change(self, name: str, /, **parameters: Any) -> int:
        self.check()
        try:
            return self._link.change(self._statements.text(name, parameters), parameters)
        except (Repeat, Unavailable) as failure:
            self._failure = failure
            raise

    def query_listed(self, name: str, ids: Iterable[str], /, **parameters: Any) -> Iterator[Row]:
        """The statement for all of these ids, in order of id."""
        for part in slices(ids):
            yield from self.query(name, ids=as_list(part), **parameters)

    def change_listed(self, name: str, ids: Iterable[str], /, **parameters: Any) -> int:
        """The same for a change; how many rows matched."""
        return sum(self.change(name, ids=as_list(part), **parameters) for part in slices(ids))

    def change_rows(self, name: str, rows: Iterable[JsonRow]) -> int:
        """The statement for all of these rows; how many matched."""
        return sum(self.change(name, rows=text) for text in batches(rows))

    def check(self) -> None:
        """Raises what ended this unit, if something did."""
        if self._failure is not None:
            raise self._failure
