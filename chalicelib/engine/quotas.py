"""What an owner may have at most: counted, and decided, only under the lock of the owner's row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chalicelib.engine.disposition import Disposition, within
from chalicelib.engine.engine import Engine
from chalicelib.engine.owner_ports import Waiting
from chalicelib.engine.ports import Reader, Transaction
from chalicelib.model.errors import QuotaExceeded
from chalicelib.model.owner import Owner, Quotas


def lock_owner(engine: Engine, tx: Transaction, name: str) -> Owner:
    """The owner, who begins to exist with its first job, locked."""
    found = tx.lock_owners([name])
    if not found:
        tx.insert_owner(name, engine.clock.now_ms())
        found = tx.lock_owners([name])
    return found[0]


def quotas_of(engine: Engine, reader: Reader, name: str) -> Quotas:
    """What holds for the owner, also for one that does not exist yet."""
    owner = reader.owner(name)
    return engine.quotas if owner is None else owner.quotas(engine.quotas)


def check_jobs(reader: Reader, owner: str, quotas: Quotas) -> None:
    """Raises QuotaExceeded when the owner may have no further job."""
    count = reader.job_count(owner)
    if count >= quotas.jobs:
        raise QuotaExceeded(
            f"{owner} has {count} of at most {quotas.jobs} jobs; delete one, or ask an admin for more: "
            f"noonday owner set {owner} --max-jobs {count + 1}"
        )


def check_waiting(engine: Engine, tx: Transaction, owner: str) -> None:
    """Under the owner's lock. Raises QuotaExceeded when no further instance may wait."""
    found = tx.waiting([owner])[owner]
    if room_of(engine, found) <= 0:
        raise QuotaExceeded(full(engine, owner, found))


def rooms(engine: Engine, reader: Reader, owners: Iterable[str]) -> dict[str, int]:
    """How many instances each of these may add, for who holds their locks; less than nought: none."""
    return {name: room_of(engine, found) for name, found in reader.waiting(owners).items()}


def fitting(
    engine: Engine, reader: Reader, settled: Sequence[Disposition]
) -> Sequence[Disposition]:
    """What of these their owners' quotas have room for; who comes first in the list comes first.

    Where the owners are not locked, as many as others add at this moment may be too many.
    """
    owners = {one.job.owner for one in settled if one.instances}
    if not owners:
        return settled
    room = rooms(engine, reader, owners)
    found = []
    for one in settled:
        fits = within(one, room[one.job.owner]) if one.instances else one
        if fits.instances:
            room[one.job.owner] -= len(fits.instances)
        found.append(fits)
    return found


def full(engine: Engine, owner: str, waiting: Waiting) -> str:
    """That there is no room for a further instance, and what helps."""
    most = _most(engine, waiting)
    return (
        f"{owner} has {waiting.count} of at most {most} waiting instances; let some begin, skip some, or "
        f"ask an admin for more: noonday owner set {owner} --max-waiting {waiting.count + 1}"
    )


def use_of(reader: Reader, owner: str) -> Mapping[str, int]:
    """What the owner has of what is limited: ``jobs`` and ``waiting``."""
    return {"jobs": reader.job_count(owner), "waiting": reader.waiting([owner])[owner].count}


def room_of(engine: Engine, waiting: Waiting) -> int:
    """How many more may wait; less than nought: none."""
    return _most(engine, waiting) - waiting.count


def _most(engine: Engine, waiting: Waiting) -> int:
    return engine.quotas.waiting if waiting.most is None else waiting.most
