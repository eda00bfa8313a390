"""Launch and look after runs of started kinds, many at once: claim, call, settle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from chalicelib.engine.claim import Claimed, claim
from chalicelib.engine.engine import Engine
from chalicelib.engine.outcomes import Outcome
from chalicelib.engine.ports import HandedOut, LaunchRequest
from chalicelib.engine.settle import result_of, settle
from chalicelib.model.states import InstanceState


def launch_started(engine: Engine, handed: Sequence[HandedOut]) -> None:
    """Call the targets of what is ours. Whatever a second delivery brings has moved, and is dropped."""
    claims = claim(engine, handed)  # the last commit before the calls
    stopping = [mine for mine in claims if mine.instance.stop is not None]
    going = [mine for mine in claims if mine.instance.stop is None]
    # What was claimed before without an outcome is launched again: the same token finds what it started.
    new = [mine for mine in going if mine.instance.state is InstanceState.LAUNCHING]
    old = [mine for mine in going if mine.instance.state is not InstanceState.LAUNCHING]
    targets = engine.targets
    outcomes = [
        *_call(targets.cancel, stopping),
        *_call(targets.launch, new),
        *_call(targets.describe, old),
    ]
    settle(engine, [result_of(mine.instance, outcome) for mine, outcome in outcomes])


def _call(
    call: Callable[[Sequence[LaunchRequest]], Sequence[Outcome]], claims: Sequence[Claimed]
) -> Iterable[tuple[Claimed, Outcome]]:
    if not claims:
        return ()
    return zip(claims, call([mine.request for mine in claims]), strict=True)
