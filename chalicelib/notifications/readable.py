"""A fact as a line that people read as it comes by, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping

_FIRST = ("owner", "job", "nominal", "run", "state", "verb", "actor", "subject", "reason", "error")
_LEFT_OUT = frozenset({"job_id", "instance_id", "token", "epoch", "trace"})


def readable(head: Mapping[str, str], fields: Mapping[str, object]) -> str:
    """The time of day, what happened and to what; whoever needs ids writes the log to a file."""
    mark = {"error": "!", "debug": "·"}.get(head["level"], " ")
    named = [name for name in _FIRST if name in fields]
    others = [name for name in fields if name not in _FIRST and name not in _LEFT_OUT]
    words = [f"{name}={_short(fields[name])}" for name in (*named, *others)]
    if "job" not in fields and "instance_id" in fields:
        words.insert(0, f"instance={fields['instance_id']}")
    line = f"{head['time'][11:23]} {mark} {head['fact']:<20} {' '.join(words)}".rstrip()
    trace = fields.get("trace")
    return f"{line}\n{trace}" if trace else line


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    shown = text if len(text) <= 300 else f"{text[:300]}…"
    return f'"{shown}"' if " " in shown else shown
