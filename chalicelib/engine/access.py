"""Who may do what. Somebody else's job does not exist; one's own may still be out of reach of one's role."""

from __future__ import annotations

from chalicelib.engine.ports import Reader, Transaction
from chalicelib.model.backfill import Backfill
from chalicelib.model.errors import Conflict, Forbidden, InvalidInput, NotFound, Problem
from chalicelib.model.identity import SLUG, is_id
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job
from chalicelib.model.principal import Principal
from chalicelib.model.states import Role

DEFAULT_OWNER = "default"
_RANK = {role: rank for rank, role in enumerate(Role)}


def require(principal: Principal, owner: str, role: Role) -> None:
    """Raises Forbidden when the principal's role in the owner does not include ``role``."""
    if principal.admin:
        return
    have = principal.roles.get(owner)
    if have is None or _RANK[have] < _RANK[role]:
        raise Forbidden(
            f"{principal.name} is {have or 'nothing'} in {owner}; this takes {role} or more"
        )


def require_admin(principal: Principal) -> None:
    if not principal.admin:
        raise Forbidden(f"{principal.name} is no admin; owners and tokens are an admin's")


def choose_owner(principal: Principal, owner: str | None) -> str:
    """The owner a new job goes to: the one that was named, or the only one there is."""
    if owner is not None:
        if SLUG.fullmatch(owner) is None:
            raise InvalidInput([Problem("owner", "is no owner's name (a slug)", owner)])
        if not principal.admin and owner not in principal.roles:
            raise NotFound(f"there is no owner {owner!r} for {principal.name}")
        return owner
    if principal.admin:
        return DEFAULT_OWNER
    if len(principal.roles) == 1:
        return next(iter(principal.roles))
    choices = ", ".join(sorted(principal.roles)) or "none"
    message = f"{principal.name} belongs to several owners; name one of {choices}"
    raise InvalidInput([Problem("owner", message)])


def find_job(reader: Reader, principal: Principal, ref: str) -> Job:
    """The job of that id, name, or owner:name.

    Raises:
        NotFound: there is none that this principal sees.
        Conflict: several of the principal's owners have a job of that name.
    """
    if is_id(ref):
        job = reader.job(ref, principal.sees)
        found = [job] if job else []
    else:
        owner, _, name = ref.rpartition(":")
        found = [job for job in reader.job_named(name, principal.sees) if owner in ("", job.owner)]
    if not found:
        raise NotFound(f"there is no job {ref!r}")
    if len(found) > 1:
        choices = ", ".join(f"{job.owner}:{job.name}" for job in found)
        raise Conflict(f"several owners have a job {ref!r}: say which, {choices}")
    return found[0]


def lock_job(tx: Transaction, principal: Principal, ref: str, role: Role) -> Job:
    """The same, locked, and only for who may change it."""
    job = find_job(tx, principal, ref)
    require(principal, job.owner, role)
    locked = tx.lock_jobs([job.id])
    if not locked:
        raise NotFound(f"there is no job {ref!r}")
    return locked[0]


def find_backfill(reader: Reader, principal: Principal, backfill_id: str) -> Backfill:
    """Raises NotFound when there is none that this principal sees."""
    found = reader.backfill(backfill_id, principal.sees) if is_id(backfill_id) else None
    if found is None:
        raise NotFound(f"there is no backfill {backfill_id!r}")
    return found


def find_instance(reader: Reader, principal: Principal, instance_id: str) -> Instance:
    """Raises NotFound when there is none that this principal sees."""
    instance = reader.instance(instance_id, principal.sees) if is_id(instance_id) else None
    if instance is None:
        raise NotFound(f"there is no instance {instance_id!r}")
    return instance
