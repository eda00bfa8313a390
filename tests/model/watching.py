"""Compares what Noonday shows after each step with what the model says, and takes over what it may choose."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby, pairwise
from typing import Any

from tests.model.rules import IN_FLIGHT, LEASE, LOOK, LOST_AFTER, Instance, Job, Model
from tests.model.stage import TESTER, Stage

SAMPLE = 200


class Watcher:
    """``docs``: the instances as they were shown last, by id."""

    def __init__(self, stage: Stage, model: Model) -> None:
        self.stage = stage
        self.model = model
        self.docs: dict[str, Any] = {}
        self._seen = 0

    def step(self) -> None:
        """Let everything happen that is due now, and compare."""
        now = self.stage.now
        queued = {id(one) for one in self.model.instances if one.reason == "MAX_ACTIVE"}
        held = {id(job): job.holders for job in self.model.jobs}
        self.stage.quiet()
        self.model.sweep(now)
        self._look(whole=self.model.paused is None)
        self._decided_meanwhile(now)
        calls = self.stage.puppets.record[self._seen :]
        self._seen += len(calls)
        launched: list[Instance] = []
        stops = {
            (id_, doc["run"]): doc["stop"]["kind"] for id_, doc in self.docs.items() if doc["stop"]
        }
        for _, delivery in groupby(calls, lambda call: call.delivery):
            together = list(delivery)
            launched += [
                one
                for call in together
                if call.verb in ("launch", "run")
                for one in [self.model.by_id(call.instance_id)]
                if one.waits and not one.active
            ]
            self.model.follow(together, now, stops)
            self._decided_meanwhile(now)
        if self.model.paused is not None:
            self._look()
        self._compare(now)
        self._in_turn(launched, queued)
        for job in self.model.jobs:
            most = max(job.policies.room, held.get(id(job), 0))
            assert job.holders <= most, f"{job.name}: {job.holders} hold slots"

    # ---- looking

    def _look(self, *, whole: bool = True) -> None:
        """Not ``whole``: what a run's end leads to may be there already. While all is paused only the
        suspension by a series of failures makes instances."""
        for job in self.model.jobs:
            shown = self._instances(job)
            for nominal, one in job.instances.items():
                assert nominal in shown, f"{job.name}: nothing accounts for {nominal}"
                one.id = shown[nominal]["id"]
            extra = set(shown) - set(job.instances)
            assert not (extra and whole), f"{job.name}: instances that nothing asked for: {extra}"
            self.docs |= {doc["id"]: doc for doc in shown.values()}

    def _instances(self, job: Job) -> dict[int, Any]:
        items: list[Any] = []
        query: dict[str, Any] = {"limit": 200}
        while True:
            answer = self.stage("GET", f"/jobs/{job.id}/instances", **query)
            assert answer.status == 200
            items += answer.body["items"]
            if answer.body["next"] is None:
                break
            query["next"] = answer.body["next"]
        shown = {doc["nominal_ms"]: doc for doc in items}
        assert len(shown) == len(items), "two instances of one nominal time"
        return shown

    # ---- what Noonday decides without a call

    def _decided_meanwhile(self, now: int) -> None:
        for one in [each for each in self.model.instances if each.id]:
            self._skipped_meanwhile(one)
            if one.waits and self.docs[one.id]["reason"] == "JOB_SUSPENDED":
                self._take_reason(one, "JOB_SUSPENDED")
            self._lost_meanwhile(one, now)

    def _skipped_meanwhile(self, one: Instance) -> None:
        doc = self.docs[one.id]
        if not (one.waits and doc["state"] == "SKIPPED"):
            return
        job, reason = one.job, doc["reason"]
        others = [other for other in job.instances.values() if other is not one]
        if reason == "JOB_DELETED":
            assert job.state == "DELETED"
        elif reason == "OVERLAP":
            assert job.policies.overlap in ("skip", "queue_one"), f"{one}: skipped"
            assert any(self._has_slot(other) for other in others), f"{one}: skipped"
        else:
            assert reason == "REPLACED", f"{one}: skipped as {reason}"
            assert job.policies.overlap == "replace", f"{one}: replaced"
            assert any(other.nominal > one.nominal for other in others), (
                f"{one}: replaced by nobody"
            )
        one.ends("SKIPPED", reason)

    def _has_slot(self, one: Instance) -> bool:
        """Also one that took it in this step, and waits for a place in its group."""
        queued = one.waits and self.docs.get(one.id, {}).get("reason") == "GROUP_FULL"
        return one.active or queued or self._in_flight(one)

    def _in_flight(self, one: Instance) -> bool:
        launches = self.stage.puppets.record[self._seen :]
        return any(call.instance_id == one.id for call in launches)

    def _lost_meanwhile(self, one: Instance, now: int) -> None:
        doc = self.docs[one.id]
        waits = self._nobody_launches(one)
        if (
            one.state in IN_FLIGHT
            and one.claims >= LOST_AFTER
            and now >= one.looked + LEASE
            and not waits
        ):
            reason = "RUN_LOST" if one.state == "RUNNING" else "LAUNCH_LOST"
            assert (doc["state"], doc["reason"]) == ("FAILED", reason), f"{one}: not given up"
            one.ends("FAILED", reason)
            self.model.count([one], now)

    def _nobody_launches(self, one: Instance) -> bool:
        """While all is paused, nobody finds out whether a launch without an answer was one."""
        paused = self.model.paused is not None
        return paused and one.state == "LAUNCHING" and one.stop is None

    # ---- comparing

    def _compare(self, now: int) -> None:
        for job in self.model.jobs:
            self._compare_job(job, now)
        for one in self.model.instances:
            doc = self.docs[one.id]
            shown = (doc["state"], doc["run"], doc["attempt"])
            assert shown == (one.state, one.run, one.attempt), f"{one} is shown as {doc}"
            if one.waits:
                self._take_reason(one, doc["reason"])
            else:
                assert doc["reason"] == one.reason, f"{one} is shown as {doc['reason']}"
        for one in self.model.instances:
            if one.waits and self.model.paused is None:
                self._waits_for_something(one, now)
            elif one.state in IN_FLIGHT:
                self._is_looked_after(one, now)

    def _take_reason(self, one: Instance, reason: str | None) -> None:
        if reason == "MAX_ACTIVE":
            assert not one.active, f"{one}: has a slot, and waits for one"
        elif reason == "GROUP_FULL":
            assert not one.held_place, f"{one}: has a place in its group, and waits for one"
            one.active = True
        elif reason == "JOB_SUSPENDED":
            one.active = one.held_place = False
            one.due = None
        elif reason is None:  # it was given what it waited for, and is launched after the pause
            one.active = one.active or one.reason in ("MAX_ACTIVE", "GROUP_FULL")
            one.held_place = one.held_place or one.reason == "GROUP_FULL"
        one.reason = reason

    def _waits_for_something(self, one: Instance, now: int) -> None:
        job, group = one.job, one.policies.group
        match one.reason:
            case "RETRY" | "TARGET_REFUSED":
                assert one.due is not None, f"{one}: waits for nothing"
                assert one.due > now, f"{one}: its delay is over"
            case "MAX_ACTIVE":
                assert job.holders >= job.policies.room, f"{one}: waits beside a free slot"
            case "GROUP_FULL":
                assert group is not None
                room = self.model.groups.get(group, 0) - self.model.in_group(group)
                assert room <= 0, f"{one}: waits beside a free place in its group"
            case "JOB_SUSPENDED":
                assert job.state == "SUSPENDED", f"{one}: held by a job that is {job.state}"
            case _:
                raise AssertionError(f"{one}: waits, and nobody knows why")
        if job.state == "SUSPENDED" and one.reason not in ("JOB_SUSPENDED", "RETRY"):
            assert self.model.may_run_suspended(one), f"{one}: is not held"

    def _is_looked_after(self, one: Instance, now: int) -> None:
        stop = self.docs[one.id]["stop"]
        kind = stop and stop["kind"]
        if kind != one.stop:
            assert self.model.may_ask(one, kind, now), f"{one}: asked to stop as {kind}"
            self.model.ask_to_stop(one, kind, now)
        if self._nobody_launches(one):
            return
        patience = LEASE if one.claims else LOOK
        assert now < one.looked + patience, f"{one}: nobody looked since {one.looked}, now {now}"
        if one.deadline <= now and not one.claims:
            assert one.stop is not None, f"{one}: its time is over"

    def _compare_job(self, job: Job, now: int) -> None:
        doc = self.stage("GET", f"/jobs/{job.id}").body
        assert doc["state"] == job.state, f"{job.name}: {doc['state']}, not {job.state}"
        scheduled = job.state == "SCHEDULED"
        assert doc["next_ms"] == (job.next(max(job.cursor, now)) if scheduled else None)
        if job.state == "SUSPENDED":
            since, until = doc["suspension"]["since_ms"], doc["suspension"]["until_ms"]
            assert (since, until) == (job.since, job.until)
        else:
            assert doc["suspension"] is None
        self._compare_skips(job)

    def _compare_skips(self, job: Job) -> None:
        """Each nominal time has one disposition: its instance, or else the one range that contains it."""
        if not job.fresh:
            return
        ranges = self.stage.noonday.store.read(
            lambda reader: list(reader.skip_ranges(job.id, 0, 1 << 52))
        )
        assert all(a.to_ms <= b.from_ms for a, b in pairwise(ranges)), f"{job.name}: they overlap"
        for times in job.fresh:
            for at in (*times[:SAMPLE], *times[-SAMPLE:]):
                if at in job.instances:
                    continue
                found = [one.reason for one in ranges if one.from_ms <= at < one.to_ms]
                assert found == [job.skip_reason(at)], f"{job.name}: {at} is {found}"
        job.fresh.clear()

    def _in_turn(self, launched: list[Instance], queued: set[int]) -> None:
        """Who waits longest is first: nobody younger took a slot before one that waits still."""
        for one in launched:
            for other in one.job.waiting:
                if id(other) in queued and other.reason == "MAX_ACTIVE":
                    newest_first = one.job.policies.overlap == "replace"
                    assert newest_first or other.nominal > one.nominal, f"{one} before {other}"

    def compare_history(self) -> None:
        """One event for each command that was accepted and changed something."""
        for job in self.model.jobs:
            verbs: list[str] = []
            query: dict[str, Any] = {"limit": 200}
            while True:
                page = self.stage("GET", f"/jobs/{job.id}/events", **query).body
                verbs += [event["verb"] for event in page["items"] if _is_command(event)]
                if page["next"] is None:
                    break
                query["next"] = page["next"]
            assert list(reversed(verbs)) == job.verbs, f"{job.name}: its history"


def _is_command(event: Mapping[str, Any]) -> bool:
    """On the job, or on an instance of it, by a person."""
    return event["actor"] == TESTER and not event["verb"].startswith("GROUP")
