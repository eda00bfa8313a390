"""The facts of the log and the metrics, as tables of docs/observability.md."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from chalicelib.engine import facts
from chalicelib.engine.facts import INSTANTS, Fact, OfJob, OfRun
from chalicelib.notifications.log import BESIDES
from chalicelib.notifications.metrics import METRICS, STAGE
from docs.markdown import code, plain, table

_SHARED = {"at_ms"}


def every_fact() -> list[type[Fact]]:
    """All that are told, in the order of their module; not those that others begin with."""
    found = [one for one in vars(facts).values() if isinstance(one, type) and issubclass(one, Fact)]
    return [one for one in found if one not in (Fact, OfJob, OfRun)]


def fields_of(fact: type[Fact]) -> list[str]:
    """As they are called in a line."""
    names = [field.name for field in dataclasses.fields(fact) if field.name not in _SHARED]
    return [name.removesuffix("_ms") if name in INSTANTS else name for name in names]


def log_facts() -> Iterator[str]:
    yield from table(["fact", "it says", "fields"], [*_rows(), *_besides()])


def _rows() -> Iterator[list[str]]:
    run, job = fields_of(OfRun), fields_of(OfJob)
    for one in every_fact():
        base, known = ("", [])  # type: str, list[str]
        if issubclass(one, OfRun):
            base, known = "those of a run", run
        elif issubclass(one, OfJob):
            base, known = "those of a job", job
        own = ", ".join(code(name) for name in fields_of(one) if name not in known)
        says = " ".join((one.__doc__ or "").split())
        yield [
            code(one.__name__),
            plain(says.replace("``", "`")),
            ", ".join(filter(None, (base, own))),
        ]


def _besides() -> Iterator[list[str]]:
    for name, (meaning, fields) in BESIDES.items():
        yield [code(name), plain(meaning), ", ".join(code(one) for one in fields)]


def metrics() -> Iterator[str]:
    rows = (
        [
            code(one.name),
            one.unit,
            ", ".join(code(each) for each in (STAGE, one.by) if each),
            plain(one.meaning),
        ]
        for one in METRICS.values()
    )
    yield from table(["metric", "unit", "dimensions", "it is"], rows)
