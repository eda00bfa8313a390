"""The template language of definitions.

``${name}``, ``${nominal_time:%Y-%m-%d}``, ``${nominal_time-1d:%Y%m%d}`` are all of it.

It reads a fixed list of values and nothing else: no expression, no attribute, no code. ``$${`` is a
literal ``${``. Times are shown in the job's zone; without a format they are ISO 8601 with offset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib.model.errors import Problem

TIMES = ("nominal_time", "previous_time", "next_time")
NAMES = ("job_name", "job_id", "instance_id", "run", "token")
CALLBACK = ("callback_url", "callback_token")
"""For targets that report how their runs go alone."""
CONTENTS = frozenset(
    {"body", "detail", "env", "environment", "headers", "message", "payload", "stdin"}
)
"""Fields of targets that nobody sees but the target: where the callback's token may stand."""
_PLACEHOLDER = re.compile(r"(\$?)\$\{([^}]*)\}?")
_BEGINS = re.compile(r"(?<!\$)\$\{")
_EXPRESSION = re.compile(
    r"(?P<name>[a-z_]+(?:\.[A-Za-z_][A-Za-z0-9_]*)?)(?:(?P<shift>[+-]\d{1,6})(?P<unit>[smhdw]))?(?::(?P<format>.+))?"
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DIRECTIVES = frozenset("YmdHMSjyBbAaUWVGuwfzZsp%eFT")


@dataclass(frozen=True, slots=True)
class Values:
    """All that a template may read, for one run. Times are UTC milliseconds."""

    nominal_ms: int
    previous_ms: int | None
    next_ms: int | None
    zone: ZoneInfo
    job_name: str
    job_id: str
    instance_id: str
    run: int
    token: str
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    callback_url: str = ""
    callback_token: str = field(default="", repr=False)

    def time(self, name: str) -> int | None:
        return {
            "nominal_time": self.nominal_ms,
            "previous_time": self.previous_ms,
            "next_time": self.next_ms,
        }[name]


def templated(text: str) -> bool:
    """Whether a placeholder is in it, which each run replaces by its own value."""
    return _BEGINS.search(text) is not None


def render(document: Any, values: Values) -> Any:
    """The same document with every placeholder in its strings replaced; keys stay as they are.

    Raises:
        ValueError: a placeholder that ``problems_in`` would have named.
    """
    if isinstance(document, str):
        return _PLACEHOLDER.sub(lambda match: _replace(match, values), document)
    if isinstance(document, list):
        return [render(item, values) for item in document]
    if isinstance(document, dict):
        return {key: render(item, values) for key, item in document.items()}
    return document


def problems_in(
    document: Any,
    parameters: Mapping[str, object],
    at: str = "target",
    *,
    calls_back: bool = False,
) -> Iterator[Problem]:
    """What is wrong with the placeholders of a document, each with its field.

    ``calls_back``: it is that of a target which reports how its run ends.
    """
    if isinstance(document, str):
        for escape, text in _PLACEHOLDER.findall(document):
            complaint = None if escape else _complaint(text, parameters, at, calls_back=calls_back)
            if complaint:
                yield Problem(at, complaint, document)
    elif isinstance(document, list):
        for index, item in enumerate(document):
            yield from problems_in(item, parameters, f"{at}.{index}", calls_back=calls_back)
    elif isinstance(document, dict):
        for key, item in document.items():
            yield from problems_in(item, parameters, f"{at}.{key}", calls_back=calls_back)


def _complaint(
    text: str, parameters: Mapping[str, object], at: str, *, calls_back: bool
) -> str | None:
    match = _EXPRESSION.fullmatch(text)
    known = ", ".join((*TIMES, *NAMES, "parameters.NAME"))
    if match is None:
        return f"${{{text}}} is no placeholder; write ${{NAME}}, or ${{nominal_time-1d:%Y-%m-%d}}"
    name = match["name"]
    if name.startswith("parameters."):
        if name.removeprefix("parameters.") not in parameters:
            return f"${{{name}}} names no parameter of this job; give it a default under parameters"
    elif name in CALLBACK:
        complaint = _callback_complaint(name, at, calls_back=calls_back)
        if complaint:
            return complaint
    elif name not in TIMES and name not in NAMES:
        return f"${{{name}}} is not known; there are {known}"
    if name not in TIMES and (match["shift"] or match["format"]):
        return f"${{{text}}}: only times take a shift or a format"
    return _bad_directive(match["format"] or "")


def _callback_complaint(name: str, at: str, *, calls_back: bool) -> str | None:
    """Addresses and arguments are logged and listed; the token is for what only the target reads."""
    if not calls_back:
        return (
            f"${{{name}}} is for targets that report their end; set target.completion to callback"
        )
    field_name = at.split(".")[1] if "." in at else ""
    if name == "callback_token" and field_name not in CONTENTS:
        return (
            f"${{{name}}} is a secret, and others see this field; put it into a header or the body"
        )
    return None


def _bad_directive(pattern: str) -> str | None:
    for letter in re.findall(r"%(.?)", pattern.replace("%%", "")):
        if letter not in _DIRECTIVES:
            return (
                f"%{letter} is no directive of a time format; use %Y %m %d %H %M %S and their like"
            )
    return None


def _replace(match: re.Match[str], values: Values) -> str:
    if match[1]:
        return match[0][1:]
    parts = _EXPRESSION.fullmatch(match[2])
    if parts is None:
        raise ValueError(f"{match[0]} is no placeholder")
    name = parts["name"]
    if name in TIMES:
        return _time(values, name, parts)
    if name.startswith("parameters."):
        return _text(values.parameters[name.removeprefix("parameters.")])
    return str(getattr(values, name))


def _time(values: Values, name: str, parts: re.Match[str]) -> str:
    """Shifts of days and weeks move the local calendar, so that 02:00 stays 02:00 over a clock change."""
    instant = values.time(name)
    if instant is None:
        return ""
    local = datetime.fromtimestamp(instant / 1000, UTC).astimezone(values.zone)
    if parts["shift"]:
        step = timedelta(seconds=int(parts["shift"]) * _UNITS[parts["unit"]])
        if parts["unit"] in "dw":
            local = local + step
        else:
            local = (local.astimezone(UTC) + step).astimezone(values.zone)
    return local.strftime(parts["format"]) if parts["format"] else local.isoformat()


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
