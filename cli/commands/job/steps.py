"""What ``noonday job apply`` does: a step for each job, planned as a whole and then done one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import click

from cli.client import path
from cli.commands.many import Progress
from cli.differences import diff_lines
from cli.errors import Clash, Failure, Misused, Stopped, Unreachable
from cli.job_files import Wanted, placed
from cli.job_order import in_order_of_needs
from cli.output import emit
from cli.screen import Screen
from cli.session import Session
from cli.text import one_line

Document = dict[str, Any]
MARK = "noonday.apply-set"
_MANY = 20
_PREREQUISITE = re.compile(r"prerequisites\.(\d+)\.job")
DONE = {"create": "created", "change": "changed", "leave": "unchanged", "prune": "pruned"}


@dataclass
class Step:
    """What is to be done about one job. ``before`` and ``after``: definitions, None for none."""

    action: str
    name: str
    before: Document | None = None
    after: Document | None = None
    job: Document = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    wanted: Wanted | None = None

    @property
    def document(self) -> Document:
        """For programs."""
        return {
            "name": self.name,
            "action": self.action,
            "id": self.job.get("id"),
            "revision": self.job.get("revision"),
            "changed": self.changed,
            "warnings": self.warnings,
        }


@dataclass
class Plan:
    """What is to be done, by asking the server what each definition would change."""

    session: Session
    owner: str
    there: dict[str, Document]
    set_name: str | None
    take_over: bool

    def steps(self, wanted: list[Wanted]) -> list[Step]:
        """One for each definition.

        Raises:
            Failure: with all that is wrong in all files; nothing was changed.
        """
        names = {one.name for one in wanted}
        others = {name: job["definition"] for name, job in self.there.items() if name not in names}
        wanted = in_order_of_needs(wanted, others)
        steps: list[Step] = []
        failures: list[Failure] = []
        problems = []
        progress = _progress(len(wanted))
        try:
            for number, one in enumerate(wanted):
                progress.show(number)
                try:
                    steps.append(self._step(one))
                except Unreachable:
                    raise
                except Failure as failure:
                    failures.append(failure)
                    problems += placed(one, failure)
        finally:
            progress.end()
        if failures:
            kinds = {type(failure) for failure in failures}
            kind = kinds.pop() if len(kinds) == 1 else Failure
            hint = next((failure.hint for failure in failures if failure.hint), None)
            raise kind("not accepted, and nothing was changed:", problems=problems, hint=hint)
        for step in steps:  # what comes with the same files is not missing
            step.warnings = [
                text
                for text in step.warnings
                if not any(f"has no job '{name}'" in text for name in names)
            ]
        return steps

    def pruned(self, names: set[str]) -> list[Step]:
        """The jobs of the set that have none of these names, to be deleted."""
        return [
            Step("prune", name, each["definition"], None, each)
            for name, each in self.there.items()
            if name not in names
            and (each["definition"].get("tags") or {}).get(MARK) == self.set_name
        ]

    def _step(self, one: Wanted) -> Step:
        there = self.there.get(one.name)
        document = self._marked(one, there)
        planned = self._tried(document, there)
        if there is None:
            after = planned["definition"]
            warnings = planned["warnings"]
            return Step("create", one.name, None, after, {}, [], warnings, _with(one, document))
        changed = [str(each["field"]) for each in planned["changes"]]
        action = "change" if changed else "leave"
        return Step(
            action,
            one.name,
            there["definition"],
            planned["definition"],
            there,
            changed,
            planned["warnings"] if changed else [],
            _with(one, document),
        )

    def _tried(self, document: Document, there: Document | None) -> Document:
        """What the server would make of it. Where it would close a circle, that is by jobs that the files
        change before it, since all together they hold none: then the rest of it is tried alone.
        """
        try:
            return self._try(document, there)
        except Failure as failure:
            places = _closing_circles(failure)
            if not places:
                raise
        listed = document["prerequisites"]
        free = [each for place, each in enumerate(listed) if place not in places]
        planned = self._try({**document, "prerequisites": free}, there)
        changes = [
            each
            for each in planned.get("changes", ())
            if not str(each["field"]).startswith("prerequisites")
        ]
        changes.append({"field": "prerequisites"})
        definition = {**planned["definition"], "prerequisites": listed}
        return {**planned, "definition": definition, "changes": changes}

    def _try(self, document: Document, there: Document | None) -> Document:
        api, query = self.session.api, {"dry_run": True}
        if there is None:
            where = {**query, "owner": self.owner}
            return dict(api.post("/jobs", document, where, keyed=False))
        return dict(api.put(path("jobs", str(there["id"])), document, query, if_match=_tag(there)))

    def _marked(self, one: Wanted, there: Document | None) -> Document:
        """With the mark of the set; without a set, a mark that is there stays."""
        tags = one.document.get("tags")
        if tags is not None and not isinstance(tags, dict):
            return one.document  # the server says what is wrong with it
        written = (tags or {}).get(MARK)
        if self.set_name is not None and written not in (None, self.set_name):
            raise Failure(f"tags.{MARK} is {written!r} there, and --set says {self.set_name!r}")
        stored = ((there or {}).get("definition", {}).get("tags") or {}).get(MARK)
        if self.set_name is not None and stored not in (None, self.set_name) and not self.take_over:
            raise Clash(
                f"belongs to the set {stored!r}, not to {self.set_name!r}",
                hint="--take-over makes it one of this set",
            )
        mark = self.set_name or written or stored
        return {**one.document, "tags": {**(tags or {}), MARK: mark}} if mark else one.document


@dataclass
class Doing:
    """The steps, one after the other, each told as it is done: whoever stops it must know how far it is."""

    session: Session
    owner: str
    schedule: bool
    reason: str | None
    dry_run: bool
    diff: bool
    done: list[Step] = field(default_factory=list)

    def all(self, steps: list[Step]) -> list[Failure]:
        failures: list[Failure] = []
        pending = sum(step.action != "leave" for step in steps)
        progress = _progress(0 if self.dry_run else pending)
        try:
            for step in steps:
                try:
                    if not self.dry_run:
                        self._do(step)
                except Unreachable:
                    raise
                except Failure as failure:
                    words = f"{step.name}: {failure.message}"
                    failures.append(
                        type(failure)(words, problems=failure.problems, hint=failure.hint)
                    )
                    continue
                self.done.append(step)
                progress.end()
                self._tell(step)
                progress.show(sum(each.action != "leave" for each in self.done))
        except KeyboardInterrupt:
            done = sum(each.action != "leave" for each in self.done)
            raise Stopped(
                f"stopped after {done:,} of {pending:,} changes",
                hint="the same command does the rest",
            ) from None
        finally:
            progress.end()
        return failures

    def _do(self, step: Step) -> None:
        api = self.session.api
        if step.action == "create" and step.wanted is not None:
            query = {"schedule": self.schedule or None, "reason": self.reason, "owner": self.owner}
            step.job = api.post("/jobs", step.wanted.document, query)
        elif step.action == "change" and step.wanted is not None:
            where = path("jobs", str(step.job["id"]))
            query = {"reason": self.reason}
            step.job = api.put(where, step.wanted.document, query, if_match=_tag(step.job))
        elif step.action == "prune":
            where = path("jobs", str(step.job["id"]))
            headers = {"If-Match": _tag(step.job)}
            api.response("DELETE", where, {"reason": self.reason}, headers=headers)

    def _tell(self, step: Step) -> None:
        if self.session.output != "table" or step.action == "leave":
            return
        emit(self.session, step.job, lambda screen: self._lines(step, screen))
        for warning in step.warnings:
            click.echo(f"warning: {step.name}: {one_line(warning)}", err=True)

    def _lines(self, step: Step, screen: Screen) -> Iterator[str]:
        said = f"would be {DONE[step.action]}" if self.dry_run else DONE[step.action]
        what = f": {', '.join(step.changed)}" if step.changed else ""
        yield one_line(f"{step.name} {said}{what}")
        if self.diff:
            before = f"{step.name} now" if step.before is not None else "nothing"
            after = f"{step.name} as applied" if step.after is not None else "nothing"
            yield from diff_lines(step.before, step.after, (before, after), screen)


def owner_of(session: Session) -> str:
    """Whose jobs these are: nothing of another owner is looked at, let alone deleted."""
    who = session.api.get("/whoami")
    owner = session.access().owner or who.get("owner")
    if not owner:
        names = ", ".join(sorted(who.get("roles") or {}))
        raise Misused(f"you have several owners: say which with --owner ({names})")
    return str(owner)


def jobs_of(session: Session, owner: str) -> dict[str, Document]:
    page = session.api.pages("/jobs", {"owner": owner}, limit=None)
    return {str(each["name"]): each for each in page["items"]}


def _closing_circles(failure: Failure) -> set[int]:
    """The prerequisites that would close one, if nothing else is wrong; else none."""
    found = [(_PREREQUISITE.fullmatch(each.field), each.message) for each in failure.problems]
    if not all(match and "closes a circle" in message for match, message in found):
        return set()
    return {int(match[1]) for match, _ in found if match}


def _with(one: Wanted, document: Document) -> Wanted:
    loaded = type(one.loaded)(one.loaded.origin, document)
    return Wanted(loaded, one.title, one.text, one.number)


def _progress(total: int) -> Progress:
    return Progress(total) if total > _MANY else Progress(None, shown=False)


def _tag(job: Document) -> str:
    return f'"{job["edit"]}"'
