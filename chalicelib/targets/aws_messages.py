"""The kinds ``sqs``, ``sns`` and ``events``: a message, a notification, an event; each carries the token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from chalicelib.aws import Caller, LostAnswer, NotTaken, Rejected, region_of
from chalicelib.engine.outcomes import Outcome, Succeeded
from chalicelib.engine.ports import LaunchRequest
from chalicelib.targets.aws_kind import (
    ACCOUNT,
    PARTITION,
    AcceptingKind,
    AcceptingTarget,
    Name,
    Need,
    Text,
    about,
    compact,
    formed,
    quoted,
)

_QUEUE = rf"https://sqs\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/{ACCOUNT}/[A-Za-z0-9_-]{{1,80}}(\.fifo)?"
_TOPIC = rf"{PARTITION}:sns:[a-z0-9-]+:{ACCOUNT}:[A-Za-z0-9_-]{{1,256}}(\.fifo)?"
_TOKEN = "noonday-token"  # noqa: S105 - the name of an attribute


class SqsTarget(AcceptingTarget):
    """A message into a queue. A FIFO queue keeps a repetition out for five minutes."""

    kind: Literal["sqs"]
    queue: Annotated[
        str, formed(_QUEUE, "URL of a queue: https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
    ] = Field(
        description="Its URL",
        examples=["https://sqs.eu-central-1.amazonaws.com/123456789012/orders"],
    )
    body: Text | dict[str, Any] | None = Field(
        None, description="A string as it is, anything else as JSON; without it, what the run is"
    )
    group: str | None = Field(
        None, max_length=128, description="Message group of a FIFO queue; the job's name by default"
    )

    @property
    def resources(self) -> Sequence[str]:
        return [self.queue]


class SqsKind(AcceptingKind[SqsTarget]):
    name = "sqs"
    spec = SqsTarget
    needs = (Need("sqs:SendMessage", "arn:aws:sqs:*:*:{name}"),)

    def start(self, spec: SqsTarget, request: LaunchRequest, call: Caller) -> Outcome:
        asked = {
            "QueueUrl": spec.queue,
            "MessageBody": _content(spec.body, request),
            "MessageAttributes": _attributes(request),
            **_in_order(spec.queue, spec.group, request),
        }
        answer = call("sqs", "SendMessage", asked)
        path = f"sqs/v3/home?region={{region}}#/queues/{quoted(spec.queue)}"
        url = self.console(path, region_of(spec.queue))
        return Succeeded(external_id=answer["MessageId"], external_url=url)


class SnsTarget(AcceptingTarget):
    """A notification to all subscribers of a topic."""

    kind: Literal["sns"]
    topic: Annotated[str, formed(_TOPIC, "ARN of a topic: arn:aws:sns:REGION:ACCOUNT:NAME")] = (
        Field(description="Its ARN", examples=["arn:aws:sns:eu-central-1:123456789012:orders"])
    )
    subject: str | None = Field(
        None, max_length=100, description="Of the e-mails, if there are any"
    )
    message: Text | dict[str, Any] | None = Field(
        None, description="A string as it is, anything else as JSON; without it, what the run is"
    )
    group: str | None = Field(
        None, max_length=128, description="Message group of a FIFO topic; the job's name by default"
    )

    @property
    def resources(self) -> Sequence[str]:
        return [self.topic]


class SnsKind(AcceptingKind[SnsTarget]):
    name = "sns"
    spec = SnsTarget
    needs = (Need("sns:Publish", "arn:aws:sns:*:*:{topic}"),)

    def start(self, spec: SnsTarget, request: LaunchRequest, call: Caller) -> Outcome:
        asked = {
            "TopicArn": spec.topic,
            "Message": _content(spec.message, request),
            "MessageAttributes": _attributes(request),
            **_in_order(spec.topic, spec.group, request),
        }
        if spec.subject:
            asked["Subject"] = spec.subject
        answer = call("sns", "Publish", asked)
        path = f"sns/v3/home?region={{region}}#/topic/{spec.topic}"
        url = self.console(path, region_of(spec.topic))
        return Succeeded(external_id=answer["MessageId"], external_url=url)


class EventsTarget(AcceptingTarget):
    """An event on a bus of EventBridge, for whatever rules match it."""

    kind: Literal["events"]
    bus: Name = Field("default", description="Name or ARN of the bus")
    source: Annotated[str, formed(r"(?!aws\.)[A-Za-z0-9._/-]{1,256}", "source of your own")] = (
        Field(description="Who says so; not aws.", examples=["com.example.orders"])
    )
    detail_type: str = Field(
        min_length=1, max_length=128, description="What it is", examples=["orders are due"]
    )
    detail: dict[str, Any] | None = Field(
        None, description="The event's content; without it, what the run is", examples=[{}]
    )

    @property
    def resources(self) -> Sequence[str]:
        return [f"{self.bus}/{self.source}"]


class EventsKind(AcceptingKind[EventsTarget]):
    """PutEvents answers 200 with what it did not take inside."""

    name = "events"
    spec = EventsTarget
    needs = (Need("events:PutEvents", "arn:aws:events:*:*:event-bus/{bus}"),)

    def start(self, spec: EventsTarget, request: LaunchRequest, call: Caller) -> Outcome:
        detail = spec.detail if spec.detail is not None else about(request)
        entry = {
            "EventBusName": spec.bus,
            "Source": spec.source,
            "DetailType": spec.detail_type,
            "Detail": compact(detail),
            "Resources": [],
        }
        [taken] = call("events", "PutEvents", {"Entries": [entry]})["Entries"]
        code = taken.get("ErrorCode")
        if code:
            message = taken.get("ErrorMessage", "")
            if "Throttl" in code:
                raise NotTaken(code, message)
            raise (LostAnswer if code.startswith("Internal") else Rejected)(code, message)
        path = f"events/home?region={{region}}#/eventbus/{quoted(spec.bus)}"
        return Succeeded(
            external_id=taken["EventId"], external_url=self.console(path, region_of(spec.bus))
        )


def _content(body: str | dict[str, Any] | None, request: LaunchRequest) -> str:
    if isinstance(body, str):
        return body
    return compact(about(request) if body is None else body)


def _attributes(request: LaunchRequest) -> dict[str, Any]:
    return {_TOKEN: {"DataType": "String", "StringValue": request.token}}


def _in_order(name: str, group: str | None, request: LaunchRequest) -> dict[str, str]:
    """FIFO: the token keeps a repetition out."""
    if not name.endswith(".fifo"):
        return {}
    return {
        "MessageGroupId": group or request.job_name,
        "MessageDeduplicationId": request.token,
    }
