"""Data that arrives, notifications on their way, and the night: each in a function of its own."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.channels.signing import signed
from chalicelib.local.context import scheduled_event
from chalicelib.notifications.clock import wall_ms
from tests.cloud.amazon import ACCOUNT, REGION, refuse
from tests.cloud.service_events import an_event
from tests.cloud.test_glue_prerequisites import partition, table
from tests.cloud_zip.account import Account, Run, a_job
from tests.cloud_zip.stories.receiver import Receiver
from tests.cloud_zip.stories.told import ADDRESS, SIGNING, complaints, saying

DAY_MS = 86_400_000


def queue(account: Account, name: str) -> str:
    account.amazon.client("sqs").create_queue(QueueName=name)
    return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"


def heard(account: Account, name: str) -> list[Any]:
    asked = {"QueueUrl": queue(account, name), "MaxNumberOfMessages": 10}
    told = account.amazon.client("sqs").receive_message(**asked).get("Messages", [])
    return [json.loads(one["Body"]) for one in told]


def waiting(account: Account, *data: str) -> list[Run]:
    """For each an instance that waits for it, its next check some time away."""
    spec = {"queue": queue(account, "orders"), "body": "{}"}
    runs = [account.submit("sqs", spec, prerequisites=[{"data": each}]) for each in data]
    account.drain()
    account.look_again()  # whatever a clock that is ahead of another has left
    assert {run.shown()["reason"] for run in runs} == {"PREREQUISITES"}
    return runs


def test_data_that_arrives_launches_who_waits_for_it(story: Account) -> None:
    amazon = story.amazon
    where = {"LocationConstraint": REGION}
    amazon.client("s3").create_bucket(Bucket="orders", CreateBucketConfiguration=where)
    table(amazon)
    arrived = story.functions["data_arrival"]
    created = {"bucket": {"name": "orders"}, "object": {"key": "2026/ä b/_SUCCESS"}}
    of_s3 = an_event("aws.s3", "Object Created", ["arn:aws:s3:::orders"], created)
    changed = {"databaseName": "sales", "changedTables": ["orders"], "typeOfChange": "UpdateTable"}
    of_glue = an_event("aws.glue", "Glue Data Catalog Database State Change", [], changed)
    whole, below, another, part = waiting(
        story,
        "s3://orders/2026/ä b/_SUCCESS",
        "s3://orders/2026/",
        "s3://orders/2025/_SUCCESS",
        "glue://sales/orders/dt=2026-11-24/region=eu",
    )
    for event in (of_s3, of_glue):  # ahead of what they tell of: looked at, and not believed
        arrived.invoke(event)
    story.drain()
    assert {one.shown()["state"] for one in (whole, below, another, part)} == {"WAITING"}

    amazon.client("s3").put_object(Bucket="orders", Key="2026/ä b/_SUCCESS", Body=b"")
    for _ in range(2):  # at least once, says EventBridge
        arrived.invoke(of_s3)
    story.drain()
    shown = [one.shown() for one in (whole, below)]
    assert [one["state"] for one in shown] == ["SUCCEEDED"] * 2, shown
    assert [one.shown()["state"] for one in (another, part)] == ["WAITING"] * 2

    partition(amazon, "2026-11-24", "eu")
    arrived.invoke(of_glue)
    story.drain()
    arrived.invoke(of_glue)  # late: nobody waits any more
    story.drain()
    assert part.shown()["state"] == "SUCCEEDED"
    assert another.shown()["state"] == "WAITING"
    assert len(heard(story, "orders")) == 3
    assert story.failed == []


def test_what_is_asked_for_is_told_by_all_channels(story: Account, receiver: Receiver) -> None:
    amazon = story.amazon
    bus = "jobs"
    queue(story, "inbox")
    queue(story, "heard")
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}"
    topic = amazon.client("sns").create_topic(Name="jobs")["TopicArn"]
    amazon.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"{arn}:inbox")
    events = amazon.client("events")
    events.create_event_bus(Name=bus)
    pattern = json.dumps({"source": ["noonday"]})
    events.put_rule(Name="all", EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "1", "Arn": f"{arn}:heard"}])
    statuses = iter([500, 200])
    receiver.replies["/hook"] = lambda _: next(statuses)
    places = ({"topic": topic}, {"bus": bus}, {"url": f"{receiver.url}/hook"})
    notify = [{"on": ["success"], **place} for place in places]
    run = story.submit(
        "sqs", {"queue": queue(story, "orders"), "body": "{}"}, policies={"notify": notify}
    )
    with saying(story.functions["deliver"]) as told:
        story.drain()
        story.database.execute(
            "UPDATE scheduler_outbox SET wake_ms = wake_ms - 120000 WHERE wake_ms IS NOT NULL",
            story.schema,
        )
        story.ring()
        story.drain()
    listed = story.call("GET", "/notifications")["items"]
    assert [one["state"] for one in listed] == ["DELIVERED"] * 3
    [by_topic] = [json.loads(one["Message"]) for one in heard(story, "inbox")]
    [by_bus] = [one["detail"] for one in heard(story, "heard")]
    first, second = receiver.at("/hook")
    by_hook = json.loads(second.body)
    assert first.body == second.body
    for document in (by_topic, by_bus, by_hook):
        assert document["type"] == "instance.succeeded"
        assert document["data"]["url"] == f"{ADDRESS}/instances/{run.id}"
    sent = second.headers
    right = signed(sent["webhook-id"], int(sent["webhook-timestamp"]), second.body, [SIGNING])
    assert sent["webhook-signature"] == right["webhook-signature"]
    assert complaints(told) == []
    assert SIGNING not in json.dumps(told)
    assert story.failed == []


def test_a_channel_that_refuses_is_tried_again(story: Account) -> None:
    topic = story.amazon.client("sns").create_topic(Name="jobs")["TopicArn"]
    story.amazon.fail("Publish", refuse(500, "InternalError"))
    notify = [{"on": ["success"], "topic": topic}]
    story.submit(
        "sqs", {"queue": queue(story, "orders"), "body": "{}"}, policies={"notify": notify}
    )
    story.drain()
    [pending] = story.call("GET", "/notifications")["items"]
    assert pending["state"] == "PENDING"
    story.call("POST", f"/notifications/{pending['id']}/redeliver", {})
    story.drain()
    [delivered] = story.call("GET", "/notifications")["items"]
    assert (delivered["state"], delivered["id"]) == ("DELIVERED", pending["id"])
    assert story.failed == []


def test_the_night_purges_what_retention_lets_go(story: Account) -> None:
    """Except the last success of a job, for which another may wait."""
    spec = {"queue": queue(story, "orders"), "body": "{}"}
    policies = {"retention": {"age": "P30D"}}
    jobs = [
        story.call("POST", "/jobs?schedule=true", a_job("sqs", spec, policies=policies))
        for _ in range(2)
    ]  # due once, long ago
    story.drain()
    newer = Run(story, story.call("POST", f"/jobs/{jobs[0]['id']}/trigger", {})["id"])
    story.drain()
    old, last = (story.call("GET", f"/jobs/{job['id']}/instances")["items"][-1] for job in jobs)
    assert {one["state"] for one in (old, last, newer.shown())} == {"SUCCEEDED"}
    round_of_today = "DELETE FROM scheduler_meta WHERE name = 'housekeeping'"
    ended = f"UPDATE scheduler_job_instances SET ended_ms = {wall_ms() - 31 * DAY_MS}"
    for sql in (round_of_today, f"{ended} WHERE id IN ('{old['id']}', '{last['id']}')"):
        story.database.execute(sql, story.schema)
    with saying(story.functions["housekeeping"]) as told:
        for _ in range(2):
            story.functions["housekeeping"].invoke(scheduled_event(wall_ms()))
    left = {one["id"] for one in story.call("GET", "/instances")["items"]}
    assert left == {last["id"], newer.id}
    assert story.front.call("GET", f"/instances/{old['id']}").status == 404
    assert complaints(told) == []
    [skipped] = story.call("GET", f"/jobs/{jobs[0]['id']}/skips")["items"]
    assert skipped["reason"] == "PURGED"
