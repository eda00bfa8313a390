"""The kind ``sql``: one statement, its parameters bound, its rows in a file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from chalicelib.aws import Aws
from chalicelib.engine.outcomes import Dropped, Failed, Outcome, Stopped, Succeeded, Unknown
from chalicelib.engine.ports import Clock, Control, LaunchRequest
from chalicelib.model.document import Document
from chalicelib.model.prerequisite import S3
from chalicelib.model.template import NAMES, TIMES, templated
from chalicelib.targets import sql_statement
from chalicelib.targets.configuration import Connection, TargetSettings
from chalicelib.targets.files import Folders, OutsideFiles, drafting
from chalicelib.targets.kind import Check, InlineKind, check_of
from chalicelib.targets.run_log import RunLog
from chalicelib.targets.s3_results import S3Draft, S3Results, complaint_of
from chalicelib.targets.sql_rows import Format, Sink, csv_line, format_of, writer
from chalicelib.targets.sql_session import Answer, EarlierSession, Session, SqlFailure

BOUND = frozenset({*TIMES, *NAMES, "nominal_date", "nominal_ms"})
SHOWN_ROWS = 20
_LEXIS = {"sqlite": sql_statement.SQLITE, "mysql": sql_statement.MYSQL}


class SqlTarget(Document):
    """One statement on a database that the operator registered."""

    kind: Literal["sql"]
    connection: str = Field(
        description="Name of a registered database; definitions carry no credentials",
        examples=["warehouse"],
    )
    query: str = Field(
        max_length=1_000_000,
        description="One statement; `:nominal_time`, `:nominal_date`, `:token` and every parameter as"
        " `:name` are bound, never text",
        examples=["SELECT country, SUM(amount) FROM orders WHERE day = :nominal_date GROUP BY 1"],
    )
    result: str | None = Field(
        None,
        description="File under the files' root that receives the rows, or an object s3://bucket/key, whose"
        " key gets the run's token",
        examples=[
            "reports/revenue/${nominal_time:%Y-%m-%d}.csv",
            "s3://reports/revenue/${nominal_time:%Y-%m-%d}.csv",
        ],
    )
    format: Format | None = Field(
        None, description="Of the result; by default what its suffix says: .csv, .jsonl"
    )
    max_rows: int | None = Field(
        None, ge=1, description="More rows than that are a failure, not a shorter result"
    )

    @field_validator("connection")
    @classmethod
    def _registered(cls, name: str, info: ValidationInfo) -> str:
        check = check_of(info)
        if check is None:
            return name
        if check.settings.connections.get(name) is None:
            raise ValueError(_unknown_connection(name, check))
        return name

    @field_validator("query")
    @classmethod
    def _one_statement(cls, query: str, info: ValidationInfo) -> str:
        check = check_of(info)
        if check is None:
            return query
        if not check.rendered and templated(query):
            raise ValueError(
                "values are never text of a statement; write :nominal_time or :parameter, not ${…}"
            )
        lexis = _LEXIS.get(_engine(info.data.get("connection"), check), sql_statement.SQLITE)
        complaint = sql_statement.complaint(query, lexis) or _unbound(query, lexis, check)
        if complaint:
            raise ValueError(complaint)
        return query

    @field_validator("result")
    @classmethod
    def _place(cls, path: str | None, info: ValidationInfo) -> str | None:
        check = check_of(info)
        if check is None or path is None or not path.startswith(S3):
            return check.place(path) if check else path
        complaint = complaint_of(path, check.owner, check.settings.allow)
        if complaint and check.final(path):
            raise ValueError(complaint)
        return path

    @model_validator(mode="after")
    def _known_format(self) -> SqlTarget:
        if self.result and not self.format and not format_of(self.result):
            raise ValueError(
                f"the result {self.result!r} ends neither in .csv nor in .jsonl; add format: csv or jsonl"
            )
        return self


class SqlKind(InlineKind[SqlTarget]):
    name = "sql"
    spec = SqlTarget

    def __init__(self, settings: TargetSettings, clock: Clock, aws: Aws | None = None) -> None:
        aws = aws or Aws(settings.aws_region, clock.now_ms)
        self._s3 = S3Results(aws, settings.allow)
        self._settings = settings
        self._clock = clock
        self._folders = Folders(settings.files, settings.runs)

    def run(self, spec: SqlTarget, request: LaunchRequest, control: Control) -> Outcome:
        log = RunLog(self._folders, request.token, self._clock, kept=self._settings.keeps_files)
        connection = self._settings.connections[spec.connection]
        session: Session | None = None
        try:
            session = self._open(connection, request, control)
            if control.stopping:
                return Stopped(log_path=log.path)
            control.begin(session.handle)
            control.on_stop(session.cancel)
            log.say(f"on {connection.name}: {spec.query}")
            return self._work(spec, request, control, session, log)
        except EarlierSession as error:  # under another token it might be done twice
            log.say(f"given back: {error}")
            return Unknown(error=str(error))
        except (SqlFailure, OutsideFiles, OSError) as error:
            if control.stopping:
                log.say("stopped")
                return Dropped() if control.lost else Stopped(log_path=log.path)
            log.say(f"failed: {error}")
            retry = error.retry if isinstance(error, SqlFailure) else isinstance(error, OSError)
            return Failed(error=str(error), retry=retry, log_path=log.path)
        finally:
            if session is not None:
                session.close()

    def _open(self, connection: Connection, request: LaunchRequest, control: Control) -> Session:
        """The drivers are loaded by the first run that needs them."""
        problem = connection.problem()
        if problem:
            raise SqlFailure(problem, retry=False)
        if connection.engine == "sqlite":
            from chalicelib.targets.sql_sqlite import SqliteSession  # noqa: PLC0415

            return SqliteSession(connection)
        from chalicelib.targets.sql_mysql import MySqlSession  # noqa: PLC0415

        left = (request.deadline_ms - self._clock.now_ms()) / 1000
        seconds = min(max(left, 1), 86_400) + 5
        return MySqlSession(connection, request, control, seconds=seconds)

    def _work(
        self,
        spec: SqlTarget,
        request: LaunchRequest,
        control: Control,
        session: Session,
        log: RunLog,
    ) -> Outcome:
        answer = session.execute(spec.query, request.bindings)
        if not answer.columns:
            return self._changed(spec, session, log)
        if spec.result is None:
            return self._shown(spec, session, answer, log)
        if spec.result.startswith(S3):
            with self._s3.drafting(spec.result, request, control) as upload:
                return self._uploaded(spec, upload, session, answer, log)
        with drafting(self._folders, spec.result, request.token) as draft:
            count = self._write(spec, answer, draft.file)
            draft.finish()
            session.commit()
            draft.publish()
        log.say(f"{count} rows in {spec.result}")
        return Succeeded(result_path=spec.result, log_path=log.path, facts={"rows": count})

    def _uploaded(
        self,
        spec: SqlTarget,
        draft: S3Draft,
        session: Session,
        answer: Answer,
        log: RunLog,
    ) -> Outcome:
        """Written, then committed: a run that dies between them does both again, to the same object."""
        count = self._write(spec, answer, draft.file)
        draft.finish()
        session.commit()
        log.say(f"{count} rows in {draft.url}")
        return Succeeded(
            result_path=draft.url,
            external_url=self._s3.link(draft.url),
            log_path=log.path,
            facts={"rows": count},
        )

    def _changed(self, spec: SqlTarget, session: Session, log: RunLog) -> Outcome:
        if spec.result is not None:
            raise SqlFailure(
                "the statement returns no rows for its result; nothing was committed", retry=False
            )
        count = session.affected
        session.commit()
        log.say(f"{count} rows changed")
        return Succeeded(log_path=log.path, facts={"affected": count})

    def _shown(self, spec: SqlTarget, session: Session, answer: Answer, log: RunLog) -> Outcome:
        """Without a result the log shows the first rows."""
        count, lines = 0, [csv_line(answer.columns)]
        for rows in iter(answer.fetch, ()):
            if not rows:
                break
            lines += [csv_line(row)[:1000] for row in rows[: max(0, SHOWN_ROWS - count)]]
            count += len(rows)
            _limit(spec, count)
        session.commit()
        log.say(f"{count} rows; the first are\n{''.join(lines)}")
        return Succeeded(log_path=log.path, facts={"rows": count})

    def _write(self, spec: SqlTarget, answer: Answer, file: Sink) -> int:
        kind = spec.format or format_of(spec.result or "") or "csv"
        write, count = writer(kind, answer.columns, file), 0
        while rows := answer.fetch():
            count += len(rows)
            _limit(spec, count)
            write(rows)
        return count


def _limit(spec: SqlTarget, count: int) -> None:
    if spec.max_rows is not None and count > spec.max_rows:
        raise SqlFailure(
            f"the statement returns more than max_rows: {spec.max_rows}; nothing was written",
            retry=False,
        )


def _engine(name: object, check: Check) -> str:
    connections: Mapping[str, Connection] = check.settings.connections
    found = connections.get(name) if isinstance(name, str) else None
    return found.engine if found else ""


def _unknown_connection(name: str, check: Check) -> str:
    if templated(name):
        return "a connection is named as it is registered, without placeholders"
    known = sorted(check.settings.connections)
    if not known:
        return (
            "no connection is registered here; whoever operates this server does so with"
            f" NOONDAY_CONNECTION_{name.upper().replace('-', '_')}=sqlite:///PATH or mysql://USER@HOST/DB"
        )
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? There" if near else "there"
    return f"no connection {name!r} is registered; {hint} are {', '.join(known)}"


def _unbound(query: str, lexis: sql_statement.Lexis, check: Check) -> str | None:
    if check.parameters is None:
        return None
    known = check.parameters if check.rendered else BOUND | check.parameters
    missing = sorted(sql_statement.names(query, lexis) - known)
    if not missing:
        return None
    listed = ", ".join(f":{name}" for name in missing)
    return f"{listed} is nothing that can be bound; there are {', '.join(sorted(known))}"
