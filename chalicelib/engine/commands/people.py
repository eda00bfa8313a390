"""Owners, members and tokens: an admin's commands."""

from __future__ import annotations

import hashlib

from chalicelib.engine.access import require, require_admin
from chalicelib.engine.engine import Engine
from chalicelib.engine.narration import administered
from chalicelib.engine.ports import Transaction
from chalicelib.model.errors import InvalidInput, NotFound, Problem
from chalicelib.model.identity import PRINCIPAL, SLUG
from chalicelib.model.principal import Membership, Principal
from chalicelib.model.states import Role


def create_owner(engine: Engine, principal: Principal, name: str) -> str:
    """A team that jobs can belong to; one that exists is no error."""
    require_admin(principal)
    _check_slug("name", name)
    now = engine.clock.now_ms()
    engine.store.transact(lambda tx: tx.insert_owner(name, now))
    administered(engine, principal.name, "OWNER", f"owner {name}", name)
    return name


def set_member(
    engine: Engine, principal: Principal, owner: str, member: str, role: Role
) -> Membership:
    """Give a principal a role in an owner; the owner's own owners may, and admins.

    Raises:
        NotFound: there is no such owner.
    """
    require(principal, owner, Role.OWNER)
    _check_principal(member)
    membership = Membership(member, owner, role)

    def unit(tx: Transaction) -> None:
        _check_owner(tx, owner)
        tx.save_membership(membership)

    engine.store.transact(unit)
    administered(engine, principal.name, "MEMBER", f"{member} is {role.value}", owner)
    return membership


def remove_member(engine: Engine, principal: Principal, owner: str, member: str) -> None:
    """Raises NotFound when the principal has no role there."""
    require(principal, owner, Role.OWNER)

    def unit(tx: Transaction) -> bool:
        _check_owner(tx, owner)
        return tx.delete_membership(owner, member)

    if not engine.store.transact(unit):
        raise NotFound(f"{member} has no role in {owner}")
    administered(engine, principal.name, "MEMBER", f"{member} has no role", owner)


def create_token(engine: Engine, principal: Principal, name: str, *, admin: bool = False) -> str:
    """A new credential of a principal; shown once, kept as a hash."""
    require_admin(principal)
    _check_slug("principal", name)
    token = f"noonday_{engine.ids.new()}{engine.ids.secret()}"
    register_token(engine, token, name, admin=admin)
    rights = "an admin's token" if admin else "a token"
    administered(engine, principal.name, "TOKEN", f"{rights} for {name}")
    return token


def register_token(engine: Engine, token: str, name: str, *, admin: bool) -> None:
    """Let whoever shows this token be that principal."""
    now = engine.clock.now_ms()
    engine.store.transact(
        lambda tx: tx.insert_token(hash_token(token), name, admin=admin, now_ms=now)
    )


def hash_token(token: str) -> str:
    """SHA-256 suits: tokens are long and random, there is nothing to guess."""
    return hashlib.sha256(token.encode()).hexdigest()


def _check_owner(tx: Transaction, owner: str) -> None:
    if owner not in tx.owners():
        raise NotFound(f"there is no owner {owner!r}")


def _check_slug(field: str, text: str) -> None:
    if SLUG.fullmatch(text) is None:
        message = "must be 1 to 100 of a-z, 0-9, dot, underscore, hyphen, a letter or digit first"
        raise InvalidInput([Problem(field, message, text)])


def _check_principal(name: str) -> None:
    if PRINCIPAL.fullmatch(name) is None:
        message = (
            "must be 1 to 200 of a-z, 0-9 and _.@+=,- with a letter or digit first; "
            "of IAM and Cognito after role:, user: or group:"
        )
        raise InvalidInput([Problem("principal", message, name)])
