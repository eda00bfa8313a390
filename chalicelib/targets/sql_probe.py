"""Whether a query returns a row: at most one is fetched, and the database is told that nothing is written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from threading import Event, Timer

from pydantic import ValidationError

from chalicelib.engine.conditions import Bound, Condition, Found
from chalicelib.model.errors import Problem
from chalicelib.model.prerequisite import Prerequisite
from chalicelib.model.violations import problems_of
from chalicelib.targets.configuration import Connection, TargetSettings
from chalicelib.targets.kind import Check
from chalicelib.targets.sql import SqlTarget
from chalicelib.targets.sql_session import SqlFailure

_FIELDS = {"query": "sql", "connection": "connection"}


class SqlProbe:
    """Asks the databases that sql targets name, with the same bindings."""

    def __init__(self, settings: TargetSettings) -> None:
        self._settings = settings

    def problems(
        self,
        prerequisite: Prerequisite,
        parameters: Collection[str],
        owner: str,  # noqa: ARG002 - hosts and connections are everybody's
    ) -> Iterator[Problem]:
        """What would be wrong with a target of that query."""
        target = {
            "kind": "sql",
            "connection": prerequisite.connection,
            "query": prerequisite.sql,
        }
        try:
            SqlTarget.model_validate(target, context=Check(self._settings, frozenset(parameters)))
        except ValidationError as error:
            for problem in problems_of(error, SqlTarget):
                yield Problem(_FIELDS.get(problem.field, "sql"), problem.message, problem.value)

    def check(self, condition: Condition, seconds: float) -> Found:
        """Raises TimeoutError when the database does not answer in time."""
        connection = self._settings.connections.get(condition.connection)
        if connection is None:
            return Found(met=False, what=f"no connection {condition.connection!r} is registered")
        problem = connection.problem()
        if problem:
            return Found(met=False, what=problem)
        ask = _sqlite if connection.engine == "sqlite" else _mysql
        over = Event()
        try:
            there = ask(connection, condition.what, dict(condition.bindings), seconds, over)
        except SqlFailure as error:
            if over.is_set():
                raise TimeoutError(
                    f"{connection.name} gave no answer within {seconds:g} s"
                ) from error
            return Found(met=False, what=str(error))
        if over.is_set():  # MySQL lets SLEEP end as if it had slept
            raise TimeoutError(f"{connection.name} gave no answer within {seconds:g} s")
        return Found(met=there, what="it returns a row" if there else "it returns no row")


def _sqlite(
    connection: Connection, query: str, bindings: Mapping[str, Bound], seconds: float, over: Event
) -> bool:
    from chalicelib.targets.sql_sqlite import SqliteSession  # noqa: PLC0415 - only who needs it

    session = SqliteSession(connection, looks_only=True)

    def stop() -> None:
        over.set()
        session.cancel()

    watch = Timer(seconds, stop)
    watch.daemon = True
    watch.start()
    try:
        answer = session.execute(query, bindings)
        if not answer.columns:
            raise SqlFailure("the statement returns no rows; write a SELECT", retry=False)
        return bool(answer.fetch())
    finally:
        watch.cancel()
        session.close()


def _mysql(
    connection: Connection, query: str, bindings: Mapping[str, Bound], seconds: float, over: Event
) -> bool:
    from chalicelib.targets.sql_mysql import first_row  # noqa: PLC0415 - as above

    def stop() -> None:
        over.set()

    watch = Timer(seconds - 0.1, stop)  # the driver gives up by itself, a moment later
    watch.daemon = True
    watch.start()
    try:
        return first_row(connection, query, bindings, seconds=seconds)
    finally:
        watch.cancel()
