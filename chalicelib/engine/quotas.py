"""What an owner may have at most: counted, and decided, only under the lock of the owner's row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chalicelib.engine.engine import Engine
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
    count, most = tx.waiting_counts([owner])[owner], quotas_of(engine, tx, owner).waiting
    if count >= most:
        raise QuotaExceeded(
            f"{owner} has {count} of at most {most} waiting instances; let some begin, skip some, or ask an "
            f"admin for more: noonday owner set {owner} --max-waiting {count + 1}"
        )


def rooms(engine: Engine, tx: Transaction, owners: Sequence[Owner]) -> dict[str, int]:
    """How many instances each of these may add, which are locked; less than nought: none."""
    counts = tx.waiting_counts(owner.name for owner in owners)
    return {one.name: one.quotas(engine.quotas).waiting - counts[one.name] for one in owners}


def use_of(reader: Reader, owner: str) -> Mapping[str, int]:
    """What the owner has of what is limited: ``jobs`` and ``waiting``."""
    return {"jobs": reader.job_count(owner), "waiting": reader.waiting_counts([owner])[owner]}
