"""Jobs, instances and events as people see them: the columns of lists and the lines of one thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from cli.screen import Screen
from cli.states import colour_of
from cli.table import Column, render
from cli.text import one_line, pad, safe_lines, shorten, width
from cli.times import age, iso, local, span

Document = dict[str, Any]


def job_table(page: Document, screen: Screen) -> Iterator[str]:
    """A list of jobs."""
    columns = [
        Column("NAME", lambda job: _text(job, "name"), least=20),
        Column("STATE", lambda job: _text(job, "state"), colour=colour_of),
        Column("NEXT", lambda job: moment(job.get("next_ms"), screen)),
        Column("HISTORY", lambda job: _text(job, "history")),
        Column("SCHEDULE", _schedule, least=22, yields=2),
        Column("TARGET", _target, spare=True),
        Column("OWNER", lambda job: _text(job, "owner"), least=8, yields=3, spare=True),
        Column("ID", lambda job: _text(job, "id"), spare=True),
    ]
    if not any("history" in job for job in page.get("items") or []):
        del columns[3]
    return _table(page, columns, screen, "no jobs; submit one with noonday job submit FILE")


def instance_table(page: Document, screen: Screen) -> Iterator[str]:
    """A list of instances. The first 16 digits of an id are enough to name it."""
    columns = [
        Column("ID", lambda row: _text(row, "id"), least=16, yields=4, is_id=True),
        Column("JOB", lambda row: _text(row, "name"), least=16),
        Column("NOMINAL TIME", lambda row: moment(row.get("nominal_ms"), screen)),
        Column("STATE", lambda row: _text(row, "state"), colour=colour_of),
        Column("RUN", lambda row: _text(row, "run"), right=True, spare=True),
        Column("TOOK", lambda row: took(row, screen), right=True),
        Column("KIND", lambda row: _text(row, "kind"), spare=True),
        Column("REASON", _why, least=12, yields=3, spare=True),
    ]
    return _table(page, columns, screen, "no instances")


def event_table(page: Document, screen: Screen, *, of_one_job: bool = False) -> Iterator[str]:
    """A list of events; ``name`` is the job's, where the caller knows it."""
    columns = [
        Column("TIME", lambda row: moment(row.get("at_ms"), screen)),
        Column("VERB", lambda row: _text(row, "verb")),
        Column("JOB", lambda row: _text(row, "name") or _text(row, "job_id"), least=14, yields=2),
        Column("ACTOR", lambda row: _text(row, "actor"), least=8),
        Column("REASON", _reason_of_event, least=10, yields=3),
        Column(
            "INSTANCE",
            lambda row: _text(row, "instance_id"),
            least=16,
            yields=4,
            is_id=True,
            spare=True,
        ),
    ]
    if of_one_job:
        del columns[2]
    return _table(page, columns, screen, "no events")


def _reason_of_event(row: Document) -> str:
    """Why, in the actor's words; what an update changed; else what the event says of itself."""
    detail = row.get("detail") or {}
    changed = ", ".join(detail.get("changed") or [])
    if row.get("reason") or changed:
        words = [_text(row, "reason"), f"changed {changed}" if changed else ""]
        return "; ".join(word for word in words if word)
    told = [f"{name} {detail[name]}" for name in ("revision", "run", "error") if detail.get(name)]
    return f"({', '.join(told)})" if told else ""


def revision_table(page: Document, screen: Screen) -> Iterator[str]:
    """A list of a job's revisions."""
    columns = [
        Column("REVISION", lambda row: _text(row, "revision"), right=True),
        Column("CREATED", lambda row: moment(row.get("created_ms"), screen)),
        Column("BY", lambda row: _text(row, "created_by"), least=8),
        Column("CHANGED", lambda row: ", ".join(row.get("changed") or []), least=16, yields=2),
        Column("REASON", lambda row: _text(row, "reason"), least=10, yields=3),
    ]
    return _table(page, columns, screen, "no revisions")


def fire_table(document: Document, screen: Screen) -> Iterator[str]:
    """Nominal times to come, in the schedule's zone as the server tells it."""
    columns = [
        Column("LOCAL", lambda fire: _text(fire, "local")),
        Column("UTC", lambda fire: _iso(fire.get("nominal_ms"))),
        Column("IN", lambda fire: _age(fire.get("nominal_ms"), screen)),
        Column("NOTE", _note, least=8),
    ]
    if not screen.is_terminal or screen.now_ms is None:
        del columns[2]
    if not any(_note(fire) for fire in document.get("fires") or []):
        columns.pop()
    yield from _table({"items": document.get("fires")}, columns, screen, "it never fires again")


def _note(fire: Document) -> str:
    """What is odd about a time; of one that a calendar excludes, that it does not fire then."""
    note = _text(fire, "note")
    if not fire.get("excluded_by"):
        return note
    rolls = fire.get("rolls_to_ms")
    instead = f", fires {_iso(rolls)} instead" if rolls is not None else ""
    excluded = f"excluded by {_text(fire, 'excluded_by')}{instead}"
    return f"{excluded}; {note}" if note else excluded


def job_lines(job: Document, screen: Screen) -> Iterator[str]:
    """One job, with its definition."""
    from cli.output import to_yaml  # noqa: PLC0415 - the list of jobs must not wait for YAML

    yield f"{one_line(job.get('name', ''))}  {_state(job, screen)}"
    suspension = job.get("suspension") or {}
    yield from _facts(
        [
            ("id", _text(job, "id")),
            ("owner", _text(job, "owner")),
            ("revision", f"{_text(job, 'revision')}, edit {_text(job, 'edit')}"),
            ("next", exact(job.get("next_ms"), screen)),
            ("suspended", _suspended(suspension, screen) if suspension else ""),
            ("until", _until(suspension, screen) if suspension else ""),
            ("created", _by(job, "created", screen)),
            ("modified", _by(job, "modified", screen)),
        ],
        screen,
    )
    yield "definition:"
    for line in safe_lines(to_yaml(job.get("definition"))):
        yield _within(f"  {line}", screen)


def revision_lines(revision: Document, screen: Screen) -> Iterator[str]:
    """One version of a definition."""
    from cli.output import to_yaml  # noqa: PLC0415 - as above

    definition = revision.get("definition") or {}
    yield f"{one_line(definition.get('name', ''))} revision {_text(revision, 'revision')}"
    yield from _facts(
        [
            ("created", _by(revision, "created", screen)),
            ("reason", _text(revision, "reason")),
            ("changed", ", ".join(revision.get("changed") or [])),
        ],
        screen,
    )
    yield "definition:"
    for line in safe_lines(to_yaml(definition)):
        yield _within(f"  {line}", screen)


def instance_lines(instance: Document, screen: Screen) -> Iterator[str]:
    """One instance, with its runs."""
    nominal = exact(instance.get("nominal_ms"), screen)
    yield f"{one_line(instance.get('name', ''))} at {nominal}  {_state(instance, screen)}"
    parameters = instance.get("parameters") or {}
    runs = instance.get("runs") or []
    pairs = ", ".join(f"{name}={value}" for name, value in parameters.items())
    yield from _facts(
        [
            ("id", _text(instance, "id")),
            ("kind", _text(instance, "kind").lower()),
            ("why", _text(instance, "reason")),
            ("waiting on", _text(instance, "waiting_on")),
            ("stop", _stop(instance.get("stop") or {})),
            ("reported", _reported(instance, screen)),
            ("run", f"{_text(instance, 'run')}, revision {_text(instance, 'revision')}"),
            ("parameters", pairs),
            ("created", exact(instance.get("created_ms"), screen)),
            ("started", exact(instance.get("started_ms"), screen)),
            ("ended", exact(instance.get("ended_ms"), screen)),
            ("took", took(instance, screen)),
            ("page", _text(runs[-1], "external_url") if runs else ""),
            ("result", _text(instance, "result_path")),
            ("log", _text(runs[-1], "log_path") if runs else ""),
        ],
        screen,
    )
    if instance.get("error"):
        yield "error:"
        yield from (_within(f"  {line}", screen) for line in safe_lines(instance["error"]))
    if len(runs) > 1:
        yield "runs:"
        yield from (f"  {line}" for line in _runs(runs, screen))


def brief(instance: Document) -> str:
    """An instance in a few words, for progress and messages."""
    why = f" ({instance['reason']})" if instance.get("reason") else ""
    return one_line(
        f"{instance.get('name')} run {instance.get('run')} {instance.get('state')}{why}"
    )


def moment(ms: object, screen: Screen) -> str:
    """A time in a list: local on a terminal, UTC in a pipe."""
    if not isinstance(ms, int):
        return "-"
    return local(ms, screen.zone) if screen.is_terminal else iso(ms)


def exact(ms: object, screen: Screen) -> str:
    """A time on its own: local, and how far from now."""
    if not isinstance(ms, int):
        return ""
    told = _age(ms, screen)
    return f"{moment(ms, screen)} ({told})" if told else moment(ms, screen)


def took(row: Document, screen: Screen) -> str:
    """How long the run took, or takes until now."""
    begin = row.get("started_ms") or row.get("launched_ms")
    end = row.get("ended_ms") or screen.now_ms
    if not isinstance(begin, int) or not isinstance(end, int) or end < begin:
        return ""
    return span(end - begin)


def _table(page: Document, columns: Sequence[Column], screen: Screen, empty: str) -> Iterator[str]:
    rows = page.get("items") or []
    if not rows and screen.is_terminal:
        return iter([empty])
    return render(rows, columns, screen)


def _runs(runs: Sequence[Document], screen: Screen) -> Iterable[str]:
    columns = [
        Column("RUN", lambda run: _text(run, "run"), right=True),
        Column("STATE", lambda run: _text(run, "state"), colour=colour_of),
        Column("STARTED", lambda run: moment(run.get("started_ms"), screen)),
        Column("TOOK", lambda run: took(run, screen), right=True),
        Column("REASON", _why, least=8),
    ]
    return render(runs, columns, screen)


def _facts(facts: Sequence[tuple[str, str]], screen: Screen) -> Iterator[str]:
    for name, value in facts:
        if value.strip():
            yield _within(f"  {pad(name, 11)} {one_line(value)}", screen)


def _within(line: str, screen: Screen) -> str:
    """Text that a person wrote may be long; on a terminal it is cut, in a pipe it is whole."""
    return (
        line if screen.columns is None or width(line) < screen.columns else _wrapped(line, screen)
    )


def _wrapped(line: str, screen: Screen) -> str:
    return shorten(line, screen.columns or 80)


def _state(document: Document, screen: Screen) -> str:
    state = _text(document, "state")
    colour = colour_of(state) if screen.colour else None
    return click.style(state, fg=colour) if colour else state


def _text(document: Document, key: str) -> str:
    value = document.get(key)
    return "" if value is None else str(value)


def _why(row: Document) -> str:
    return ": ".join(
        one_line(row[key]) for key in ("reason", "waiting_on", "error") if row.get(key)
    )


def _schedule(job: Document) -> str:
    schedule = (job.get("definition") or {}).get("schedule") or {}
    rule = next(
        (str(schedule[key]) for key in ("cron", "every", "at", "frequency") if schedule.get(key)),
        "",
    )
    zone = schedule.get("timezone")
    return f"{rule} {zone}" if zone and zone != "UTC" else rule


def _target(job: Document) -> str:
    return str(((job.get("definition") or {}).get("target") or {}).get("kind") or "")


def _suspended(suspension: Document, screen: Screen) -> str:
    why = f": {suspension['reason']}" if suspension.get("reason") else ""
    since = exact(suspension.get("since_ms"), screen)
    return f"{since} by {_text(suspension, 'by')}{why}"


def _until(suspension: Document, screen: Screen) -> str:
    return exact(suspension.get("until_ms"), screen) or "somebody resumes it"


def _reported(instance: Document, screen: Screen) -> str:
    """When its target was heard of last, and what it said."""
    if instance.get("heard_ms") is None:
        return ""
    said = one_line(_text(instance, "said"))
    return moment(instance["heard_ms"], screen) + (f": {said}" if said else "")


def _stop(stop: Document) -> str:
    if not stop:
        return ""
    why = f": {stop['reason']}" if stop.get("reason") else ""
    return f"{_text(stop, 'kind')} asked for by {_text(stop, 'by')}{why}"


def _by(job: Document, verb: str, screen: Screen) -> str:
    return f"{exact(job.get(f'{verb}_ms'), screen)} by {_text(job, f'{verb}_by')}"


def _iso(ms: object) -> str:
    return iso(ms) if isinstance(ms, int) else "-"


def _age(ms: object, screen: Screen) -> str:
    if not isinstance(ms, int) or screen.now_ms is None:
        return ""
    return age(ms, screen.now_ms)
