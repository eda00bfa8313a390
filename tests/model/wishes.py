"""What the machine asks for, at random: definitions and the bodies of commands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
# The clocks of Europe go forward on 29 March 2026 at 01:00 UTC.
BEGIN = 1_774_699_200_000  # 2026-03-28T12:00:00Z
GROUPS = ("g", "h")
PLACES = ("a", "b")
OVERLAPS = ("allow", "skip", "queue", "queue_one", "replace")
LATE = ("not_started_within", "not_ended_within", "running_longer_than")
OCCASIONS = ("success", "failure", "timeout", "kill", "skip", "suspension")


def duration(ms: int) -> str:
    return f"PT{ms // SECOND}S"


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def lengths(*ms: int) -> st.SearchStrategy[str]:
    return st.sampled_from([duration(one) for one in ms])


retries = st.fixed_dictionaries(
    {"max_attempts": st.integers(1, 3), "delay": lengths(MINUTE, 3 * MINUTE)},
    optional={
        "launch": st.fixed_dictionaries(
            {"max_attempts": st.integers(1, 2), "delay": lengths(MINUTE)}
        )
    },
)
catch_up = st.fixed_dictionaries(
    {"mode": st.sampled_from(["all", "all", "latest", "none"]), "limit": st.integers(1, 5)},
    optional={"window": lengths(2 * HOUR, 3 * DAY)},
)
notify = st.fixed_dictionaries(
    {
        "url": st.sampled_from(["https://one.example.com/", "https://two.example.com/"]),
        "on": st.lists(st.sampled_from(OCCASIONS), min_size=1, max_size=6, unique=True),
    },
    optional={late: lengths(2 * MINUTE, HOUR) for late in LATE},
)
retention = st.fixed_dictionaries(
    {},
    optional={"age": st.sampled_from(["P1D", "P3D"]), "count": st.integers(1, 4)},
)
policies = st.fixed_dictionaries(
    {"catch_up": catch_up},
    optional={
        "overlap": st.sampled_from(OVERLAPS),
        "max_active": st.integers(1, 3),
        "group": st.sampled_from(GROUPS),
        "retries": retries,
        "timeouts": st.fixed_dictionaries(
            {"wait": lengths(30 * MINUTE, DAY), "run": lengths(10 * MINUTE, DAY)}
        ),
        "on_failure": st.fixed_dictionaries({"suspend_after": st.integers(1, 3)}),
        "notify": st.lists(notify, max_size=2),
        "retention": retention,
    },
)
periods = st.sampled_from([5 * MINUTE, 20 * MINUTE, HOUR, DAY])
prerequisites = st.lists(
    st.sampled_from([{"data": place} for place in PLACES] + [{"job": "job-0"}, {"job": "job-1"}]),
    max_size=2,
    unique_by=str,
)
parameters = st.dictionaries(st.sampled_from(["x", "y"]), st.integers(0, 9), max_size=2)
some = st.integers(0, 11)
often = st.booleans()
span = st.tuples(st.integers(0, 40), st.integers(1, 30))
"""From how many periods ago, and how many of them."""
backfill = st.fixed_dictionaries(
    {"reprocess": st.sampled_from(["none", "failed", "all"])},
    optional={
        "overlap": st.sampled_from(OVERLAPS),
        "max_active": st.integers(1, 3),
        "order": st.sampled_from(["oldest", "newest"]),
        "parameters": parameters,
    },
)
trigger = st.fixed_dictionaries(
    {},
    optional={
        "overlap": st.sampled_from(OVERLAPS),
        "max_active": st.integers(1, 3),
        "parameters": parameters,
        "ignore_prerequisites": st.booleans(),
    },
)
patches = st.one_of(
    st.fixed_dictionaries({"policies": policies}),
    st.fixed_dictionaries({"prerequisites": prerequisites}),
    st.fixed_dictionaries({"schedule": st.fixed_dictionaries({"every": periods.map(duration)})}),
    st.sampled_from(
        [
            {"policies": {"group": None}},
            {"policies": None},
            {"prerequisites": None},
            {"schedule": {"end": None}},
            {"policies": {"catch_up": "none", "overlap": None}},
        ]
    ),
)


def definition(
    name: str, kind: str, start: int, every: int, end: int | None, more: dict[str, Any]
) -> dict[str, Any]:
    schedule = {"every": duration(every), "start": iso(start), "timezone": "Europe/Berlin"}
    if end is not None:
        schedule["end"] = iso(end)
    return {"name": name, "schedule": schedule, "target": {"kind": kind}, **more}
