"""Every two commands at once: one is held right before each of its statements while the other runs.

Nobody sees a deadlock or a defect, what must be true of slots, places and nominal times is true afterwards,
and the outcome is that of one of the two orders. NOONDAY_TEST_PAIRS=N holds every pair at N of its moments
(0: at all of them); without it a sample is taken. NOONDAY_TEST_PAIRS_OF=pause,trigger takes only the pairs
with one of these.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from chalicelib.store import SqlStore
from tests.databases import SERVERS
from tests.engine.world import World
from tests.pairs.interleaving import Action, Actor, GatedDriver, Snapshot, in_turn, together
from tests.pairs.scene import (
    COMMANDS,
    SEVERAL,
    Cast,
    base_of,
    check,
    check_that_it_goes_on,
    digest,
    prepared,
)

ASKED = os.environ.get("NOONDAY_TEST_PAIRS")
ABOUT = {name for name in os.environ.get("NOONDAY_TEST_PAIRS_OF", "").split(",") if name}
SAMPLE = 40


@dataclass(frozen=True)
class Stage:
    world: World
    cast: Cast


@dataclass
class Theatre:
    """One database, and for each beginning all its rows."""

    store: SqlStore
    driver: GatedDriver
    empty: Snapshot
    casts: dict[str, tuple[Snapshot, Cast, int]] = field(default_factory=dict)
    orders: dict[tuple[str, str], tuple[object, ...]] = field(default_factory=dict)
    moments: dict[tuple[str, str], int] = field(default_factory=dict)

    def begin(self, base: str) -> tuple[World, Cast]:
        if base not in self.casts:
            self.empty.restore()
            world = World(self.store)
            cast = prepared(world, base)
            self.casts[base] = Snapshot(self.driver), cast, world.clock.now
        snapshot, cast, now = self.casts[base]
        snapshot.restore()
        world = World(self.store, now_ms=now, ids_from=1_000_000)
        return world, cast

    def actions(self, first: str, second: str) -> tuple[Action, Action, Stage]:
        world, cast = self.begin(base_of(first, second))

        def action(name: str) -> Action:
            return lambda: COMMANDS[name](world, cast)

        return action(first), action(second), Stage(world, cast)

    def order(self, first: str, second: str) -> tuple[object, ...]:
        """What comes of one after the other: the answers, and all that is seen."""
        if (first, second) not in self.orders:
            one, two, stage = self.actions(first, second)
            actors = in_turn(self.driver, one, two)
            check_actors(actors)
            check(self.store, stage.cast)
            outcome = (actors[0].said, actors[1].said, digest(self.store, stage.cast))
            self.orders[first, second] = outcome
            self.moments[first, second] = actors[0].gate.count
        return self.orders[first, second]

    def pair(self, first: str, second: str, moment: int) -> list[Actor]:
        """Hold the first at that moment; judge what comes of it."""
        orders = [self.order(first, second)]
        said_first, said_second, seen = self.order(second, first)
        orders.append((said_second, said_first, seen))
        one, two, stage = self.actions(first, second)
        actors = list(together(self.driver, one, two, moment))
        check_actors(actors)
        check(self.store, stage.cast)
        outcome = (actors[0].said, actors[1].said, digest(self.store, stage.cast))
        if not SEVERAL & {first, second} and outcome not in orders:
            raise AssertionError(explain(outcome, orders))
        if ASKED is not None:
            check_that_it_goes_on(stage.world, stage.cast)
        return actors


def check_actors(actors: list[Actor]) -> None:
    for actor in actors:
        if actor.broken is not None:
            raise AssertionError("nobody was to see this") from actor.broken


def explain(outcome: Any, orders: list[Any]) -> str:
    """How it differs from either order."""
    lines = [f"answers {outcome[:2]}, in order {[order[:2] for order in orders]}"]
    for order in orders:
        lines += [f"only together: {one}" for one in outcome[2] if one not in order[2]]
        lines += [f"only in order: {one}" for one in order[2] if one not in outcome[2]]
        lines.append("-")
    return "\n".join(lines)


def chosen(kind: str) -> Iterator[tuple[str, str]]:
    pairs = [(one, other) for one in COMMANDS for other in COMMANDS]
    if ABOUT:
        pairs = [pair for pair in pairs if ABOUT & {*pair}]
    if ASKED is None:
        pairs = random.Random(kind).sample(pairs, SAMPLE)
    yield from pairs


@pytest.mark.parametrize("kind", SERVERS)
def test_two_commands_at_once_are_one_after_the_other(
    kind: str, open_empty: Callable[[str], SqlStore]
) -> None:
    plain = open_empty(kind)
    driver = GatedDriver(plain._driver)
    theatre = Theatre(SqlStore(driver), driver, Snapshot(driver))
    wrong: list[str] = []
    repeats: dict[str, int] = {}
    for first, second in chosen(kind):
        theatre.order(first, second)
        moments = list(range(theatre.moments[first, second]))
        wanted = 1 if ASKED is None else int(ASKED)
        if wanted:
            dice = random.Random(f"{first} {second} {ASKED}")
            moments = sorted(dice.sample(moments, min(wanted, len(moments))))
        for moment in moments:
            try:
                actors = theatre.pair(first, second, moment)
            except AssertionError as error:
                wrong.append(f"{first} | {second} | {moment}: {error} {error.__cause__ or ''}")
                if ASKED is not None:  # who runs all of them wants to see the first
                    print(wrong[-1], flush=True)  # noqa: T201
            else:
                again = sum(actor.repeats for actor in actors)
                if again:
                    repeats[f"{first} | {second}"] = repeats.get(f"{first} | {second}", 0) + again
    if ASKED is not None:
        print("repeated after a deadlock:", repeats)  # noqa: T201
    assert not wrong, "\n".join(wrong)
