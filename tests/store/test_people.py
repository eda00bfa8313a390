"""Owners, members, tokens, and the answers that are remembered."""

from __future__ import annotations

import pytest

from chalicelib.engine.owner_ports import Waiting
from chalicelib.engine.ports import Remembered, Transaction
from chalicelib.model.errors import AlreadyExists
from chalicelib.model.owner import Owner
from chalicelib.model.principal import Membership, Principal
from chalicelib.model.states import InstanceState, JobState, Role
from chalicelib.store import SqlStore
from tests.store.builders import (
    NOON,
    a_job,
    an_id,
    an_instance,
    insert_instances,
    insert_jobs,
)

HASH = "ab" * 32


def test_a_principal_has_all_its_roles(store: SqlStore) -> None:
    def unit(tx: Transaction) -> None:
        tx.insert_token(HASH, "ada", admin=False, now_ms=NOON)
        tx.insert_token("cd" * 32, "ada", admin=True, now_ms=NOON)
        tx.save_membership(Membership("ada", "red", Role.VIEWER))
        tx.save_membership(Membership("ada", "blue", Role.OWNER))
        tx.save_membership(Membership("bob", "red", Role.OPERATOR))

    store.transact(unit)
    roles = {"red": Role.VIEWER, "blue": Role.OWNER}
    assert store.read(lambda r: r.principal(HASH)) == Principal("ada", admin=False, roles=roles)
    assert store.read(lambda r: r.principal("cd" * 32)) == Principal("ada", admin=True, roles=roles)
    assert store.read(lambda r: r.principal("ef" * 32)) is None


def test_who_holds_a_token_without_any_role(store: SqlStore) -> None:
    store.transact(lambda tx: tx.insert_token(HASH, "ada", admin=True, now_ms=NOON))
    assert store.read(lambda r: r.principal(HASH)) == Principal("ada", admin=True)


def test_a_token_stays_whose_it_was(store: SqlStore) -> None:
    store.transact(lambda tx: tx.insert_token(HASH, "ada", admin=False, now_ms=NOON))
    store.transact(lambda tx: tx.insert_token(HASH, "eve", admin=True, now_ms=NOON))
    assert store.read(lambda r: r.principal(HASH)) == Principal("ada")


def test_owners_are_made_once(store: SqlStore) -> None:
    for name in ("red", "blue", "red"):
        store.transact(lambda tx, name=name: tx.insert_owner(name, NOON))  # type: ignore[misc]
    assert store.read(lambda r: r.owners()) == ["blue", "red"]


def test_owners_have_limits_of_their_own(store: SqlStore) -> None:
    for name in ("red", "blue"):
        store.transact(lambda tx, name=name: tx.insert_owner(name, NOON))  # type: ignore[misc]
    plain = Owner(name="red", created_ms=NOON)
    assert store.read(lambda r: r.owner("red")) == plain
    limited = Owner(name="red", created_ms=NOON, max_jobs=0, max_waiting=5)
    store.transact(lambda tx: tx.save_owner(limited))
    locked = store.transact(lambda tx: tx.lock_owners(["red", "green", "blue"]))
    assert locked == [Owner(name="blue", created_ms=NOON), limited]
    store.transact(lambda tx: tx.save_owner(plain))
    assert store.read(lambda r: r.owner("red")) == plain
    assert store.read(lambda r: r.owner("green")) is None


def test_what_owners_have_is_counted(store: SqlStore) -> None:
    insert_jobs(store, a_job(1, owner="red"), a_job(2, owner="red"), a_job(3, owner="blue"))
    gone = a_job(4, owner="red", state=JobState.DELETED, wake_ms=None)
    insert_jobs(store, gone)
    waiting = [an_instance(n, an_id(1), owner="red") for n in range(3)]
    running = an_instance(4, an_id(2), owner="red", state=InstanceState.RUNNING)
    insert_instances(store, *waiting, running, an_instance(1, an_id(3), owner="blue"))
    assert [store.read(lambda r, o=o: r.job_count(o)) for o in ("red", "blue", "x")] == [2, 1, 0]  # type: ignore[misc]
    for name in ("red", "blue"):
        store.transact(lambda tx, name=name: tx.insert_owner(name, NOON))  # type: ignore[misc]
    store.transact(lambda tx: tx.save_owner(Owner(name="red", created_ms=NOON, max_waiting=2)))
    found = store.read(lambda r: r.waiting(["red", "blue", "x"]))
    assert found == {"red": Waiting(3, 2), "blue": Waiting(1), "x": Waiting(0)}


def test_the_owners_of_due_jobs_are_locked_as_the_jobs_would_be_chosen(store: SqlStore) -> None:
    for number, (owner, due) in enumerate([("red", 0), ("blue", 2), ("red", 1), ("green", 1)]):
        insert_jobs(store, a_job(1 + number, owner=owner, wake_ms=NOON + due))
    store.transact(lambda tx: tx.insert_owner("red", NOON))

    def chosen(limit: int, *, patient: bool) -> set[str]:
        return set(store.transact(lambda tx: tx.lock_due_owners(NOON + 1, limit, patient=patient)))

    for patient in (True, False):  # also one that has no row yet: there is nothing to be locked
        assert chosen(1, patient=patient) == {"red"}
        assert chosen(9, patient=patient) == {"red", "green"}


def test_memberships_change_and_end(store: SqlStore) -> None:
    for role in (Role.VIEWER, Role.OPERATOR, Role.OPERATOR):
        store.transact(lambda tx, role=role: tx.save_membership(Membership("ada", "red", role)))  # type: ignore[misc]
    store.transact(lambda tx: tx.save_membership(Membership("Ada", "red", Role.OWNER)))
    assert store.read(lambda r: r.memberships("red")) == [
        Membership("Ada", "red", Role.OWNER),
        Membership("ada", "red", Role.OPERATOR),
    ]
    assert store.transact(lambda tx: tx.delete_membership("red", "ada"))
    assert not store.transact(lambda tx: tx.delete_membership("red", "ada"))
    assert not store.transact(lambda tx: tx.delete_membership("blue", "Ada"))
    assert [m.principal for m in store.read(lambda r: r.memberships("red"))] == ["Ada"]


def an_answer(key: str, **changes: object) -> Remembered:
    values = {
        "owner": "ada",
        "fingerprint": "f",
        "status": 201,
        "body": '{"a": "🍕"}',
        "created_ms": NOON,
    }
    return Remembered(key=key, **{**values, **changes})  # type: ignore[arg-type]


def test_an_answer_is_remembered_once(store: SqlStore) -> None:
    store.transact(lambda tx: tx.remember(an_answer("k")))
    with pytest.raises(AlreadyExists, match="Idempotency-Key 'k'"):
        store.transact(lambda tx: tx.remember(an_answer("k", body="other")))
    assert store.read(lambda r: r.remembered("ada", "k")) == an_answer("k")
    assert store.read(lambda r: r.remembered("bob", "k")) is None


def test_keys_are_the_same_only_byte_for_byte(store: SqlStore) -> None:
    keys = ["key", "Key", "key ", "kéy", "ke\u0301y", "🍕", "🍔", "", "x" * 5000]
    for key in keys:
        store.transact(lambda tx, key=key: tx.remember(an_answer(key, body=repr(key))))  # type: ignore[misc]
    for key in keys:
        found = store.read(lambda r, key=key: r.remembered("ada", key))  # type: ignore[misc]
        assert found == an_answer(key, body=repr(key))


def test_answers_are_forgotten_after_their_time(store: SqlStore) -> None:
    for n in range(4):
        answer = an_answer(f"k{n}", created_ms=NOON + n)
        store.transact(lambda tx, answer=answer: tx.remember(answer))  # type: ignore[misc]
    assert store.transact(lambda tx: tx.forget_requests(NOON + 2, 1)) == 1
    assert store.read(lambda r: r.remembered("ada", "k0")) is None
    assert store.read(lambda r: r.remembered("ada", "k1")) is not None
    assert store.transact(lambda tx: tx.forget_requests(NOON + 2, 9)) == 1
    assert store.read(lambda r: r.remembered("ada", "k1")) is None
    assert store.read(lambda r: r.remembered("ada", "k2")) is not None
