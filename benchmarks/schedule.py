"""How many next times a second: Noonday, croniter and cronsim side by side, in one process.

*parsed* asks a compiled expression again and again. *with parse* gives each question an expression that was
never seen before, and counts its compilation: for Noonday the whole definition, from document to timetable.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count, cycle, islice
from time import perf_counter
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim

from chalicelib.model.instants import TZDATA_VERSION
from chalicelib.model.schedule import Schedule
from chalicelib.schedule import compile_schedule

ZONE = "Europe/Berlin"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
BEGIN_MS = int(BEGIN.timestamp()) * 1000
SECONDS = 0.4
ROUNDS = 3
RESTART = 500  # answers, after which the others begin anew: a datetime ends with the year 9999

ORDINARY = {  # Quartz: Unix, as croniter and cronsim read it
    "0 * * * * ?": "* * * * *",
    "0 0/15 * * * ?": "*/15 * * * *",
    "0 0 * * * ?": "0 * * * *",
    "0 30 6 * * ?": "30 6 * * *",
    "0 0 9-17 ? * MON-FRI": "0 9-17 * * MON-FRI",
    "0 30 2 ? * SUN": "30 2 * * SUN",
    "0 0 12 1,15 * ?": "0 12 1,15 * *",
    "0 0 18 L * ?": "0 18 L * *",
}
RARE = {
    "0 0 0 29 2 ?": "0 0 29 2 *",
    "0 0 12 ? * MON#5": "0 12 * * MON#5",
    "0 0 0 1 1 ? 2086": None,
}


def main() -> int:
    say(f"next times a second, zone {ZONE}, tzdata {TZDATA_VERSION}; the best of {ROUNDS} rounds\n")
    say(f"{'':28}{'noonday':>12}{'backward':>12}{'croniter':>12}{'cronsim':>12}\n")
    for title, expressions in (("ordinary, parsed", ORDINARY), ("rare, parsed", RARE)):
        say(f"{title}\n")
        rates = [[rate(ask(text)) for ask in ASKING] for text in expressions.items()]
        for text, measured in zip(expressions, rates, strict=True):
            line(f"  {text}", measured)
        line("  mean", [mean([row[column] for row in rates]) for column in range(len(ASKING))])
    line("ordinary, with parse", [rate(fresh()) for fresh in FRESH])
    return 0


# ---- the questions, as endless iterators: one step is one answer -----------------------------------------


def ask_noonday(text: tuple[str, str | None]) -> Iterator[object]:
    table = compile_schedule(Schedule(cron=text[0], timezone=ZONE), submitted_ms=BEGIN_MS)
    after: int | None = BEGIN_MS
    while True:
        after = table.next_after(after if after is not None else BEGIN_MS)
        if after is not None:
            yield after


def ask_noonday_backward(text: tuple[str, str | None]) -> Iterator[object]:
    long_ago = Schedule(cron=text[0], timezone=ZONE, start="1970-01-01T00:00:00Z")
    table = compile_schedule(long_ago, submitted_ms=BEGIN_MS)
    end = 130 * 365 * 86_400_000
    before: int | None = end
    while True:
        before = table.previous_before(before if before is not None else end)
        if before is not None:
            yield before


def ask_croniter(text: tuple[str, str | None]) -> Iterator[object]:
    begin = BEGIN.astimezone(ZoneInfo(ZONE))
    asked = croniter(text[1], begin) if text[1] else None
    while asked is not None:
        for _ in range(RESTART):
            yield asked.get_next(datetime)
        asked.set_current(begin)


def ask_cronsim(text: tuple[str, str | None]) -> Iterator[object]:
    begin = BEGIN.astimezone(ZoneInfo(ZONE))
    while text[1]:
        yield from islice(CronSim(text[1], begin), RESTART)


def never_seen() -> Iterator[tuple[str, str]]:
    """Daily and weekly expressions, each different from all before it."""
    days = ["*", "MON-FRI", "SAT", "MON,WED"]
    for number in count():
        minute, hour, day = number % 60, number // 60 % 24, days[number // 1440 % 4]
        until = hour + number // 5760 % 24
        hours = f"{hour}-{until % 24}" if until < 24 else f"{until % 24}-{hour}"
        yield f"{number // 138_240} {minute} {hours} ? * {day}", f"{minute} {hours} * * {day}"


def fresh_noonday() -> Iterator[object]:
    for quartz, _ in cycle(EXPRESSIONS):
        schedule = Schedule(cron=quartz, timezone=ZONE)
        yield compile_schedule(schedule, submitted_ms=BEGIN_MS).next_after(BEGIN_MS)


def fresh_croniter() -> Iterator[object]:
    begin = BEGIN.astimezone(ZoneInfo(ZONE))
    for _, unix in cycle(EXPRESSIONS):
        yield croniter(unix, begin).get_next(datetime)


def fresh_cronsim() -> Iterator[object]:
    begin = BEGIN.astimezone(ZoneInfo(ZONE))
    for _, unix in cycle(EXPRESSIONS):
        yield next(CronSim(unix, begin))


EXPRESSIONS = list(islice(never_seen(), 100_000))  # more than anybody caches


def fresh_nobody() -> Iterator[object]:
    return iter(())


Ask = Callable[[tuple[str, str | None]], Iterator[object]]
ASKING: Sequence[Ask] = (ask_noonday, ask_noonday_backward, ask_croniter, ask_cronsim)
FRESH = (fresh_noonday, fresh_nobody, fresh_croniter, fresh_cronsim)


# ---- the clock and the table -----------------------------------------------------------------------------


def rate(answers: Iterator[object]) -> float | None:
    """Answers a second; None when there are none to ask for."""
    if next(answers, answers) is answers:
        return None
    return max(one_round(answers) for _ in range(ROUNDS))


def one_round(answers: Iterator[object]) -> float:
    begin, asked = perf_counter(), 0
    while perf_counter() - begin < SECONDS / ROUNDS:
        for _ in islice(answers, 200):
            asked += 1
    return asked / (perf_counter() - begin)


def mean(rates: Sequence[float | None]) -> float | None:
    """Of the time an answer takes, so that one quick expression does not hide a slow one."""
    known = [1 / each for each in rates if each]
    return len(known) / sum(known) if known else None


def line(title: str, rates: Sequence[float | None]) -> None:
    columns = "".join(f"{'' if each is None else f'{each:,.0f}':>12}" for each in rates)
    say(f"{title:28}{columns}\n")


def say(text: str) -> None:
    sys.stdout.write(text)


if __name__ == "__main__":
    raise SystemExit(main())
