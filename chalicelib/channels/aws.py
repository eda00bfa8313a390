"""The channels ``sns`` and ``events``: a topic, and a bus of EventBridge, for whoever has subscribed there.

Which owner may tell which of them, and in whose role, the operator's entries say, as they do for targets of
the same kinds. Handed over at least once; the notification's id tells a repetition.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from chalicelib.aws import Aws, AwsFailure, Caller, region_of
from chalicelib.channels.payload import body_of, document_of
from chalicelib.engine.notification_ports import Receipt
from chalicelib.model.notification import Notification
from chalicelib.targets.allowance import Allowance
from chalicelib.targets.aws_kind import Need, compact

READ_S = 8.0
LARGEST = 262_144
"""Bytes that both services take in all; ``_AROUND`` of them are for what is not the message."""
_AROUND = 2_048
SOURCE = "noonday"
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?")
_BUS = re.compile(
    r"(arn:aws[a-z-]*:events:[a-z0-9-]+:\d{12}:event-bus/)?[A-Za-z0-9._-][A-Za-z0-9._/-]{0,255}"
)


class AwsChannel:
    """What both have in common. ``field``: of the channel's document, which names where it leads."""

    name: str
    field: ClassVar[str]
    form: ClassVar[re.Pattern[str]]
    wanted: ClassVar[str]
    needs: ClassVar[Sequence[Need]]

    def __init__(self, aws: Aws, allow: Allowance, address: str | None) -> None:
        """``address``: where others reach this server; None: notifications carry no link."""
        self._aws = aws
        self._allow = allow
        self._address = address

    @abstractmethod
    def resource(self, place: str) -> str:
        """What the operator's entries are compared with."""

    @abstractmethod
    def hand_over(self, place: str, notification: Notification, call: Caller) -> str | None:
        """What the service did not take, if anything. Raises AwsFailure."""

    def complaint(self, channel: Mapping[str, Any], owner: str) -> str | None:
        place = str(channel[self.field])
        if not self.form.fullmatch(place):
            return f"is no {self.wanted}"
        return self._allow.complaint(owner, self.name, self.resource(place))

    def deliver(self, channel: Mapping[str, Any], notification: Notification) -> Receipt:
        complaint = self.complaint(channel, notification.owner)
        if complaint is not None:  # it was permitted once
            return Receipt(complaint, give_up=True)
        place = str(channel[self.field])
        entry = self._allow.find(notification.owner, self.name, self.resource(place))
        call = self._aws.caller(
            entry.role if entry else None,
            notification.owner,
            read_s=READ_S,
            region=region_of(place),
        )
        size = len(body_of(notification, self._address))
        if size > LARGEST - _AROUND:
            return Receipt(f"it has {size} bytes, and AWS takes {LARGEST} in all", give_up=True)
        try:
            return Receipt(self.hand_over(place, notification, call))
        except AwsFailure as failure:
            return Receipt(str(failure))


class SnsTopic(AwsChannel):
    """A notification of SNS. Its attributes are what subscriptions filter by."""

    name = "sns"
    field = "topic"
    form = _TOPIC
    wanted = "ARN of a topic; write arn:aws:sns:REGION:ACCOUNT:NAME"
    needs = (Need("sns:Publish", "arn:aws:sns:*:*:{topic}"),)

    def resource(self, place: str) -> str:
        return place

    def hand_over(self, place: str, notification: Notification, call: Caller) -> str | None:
        document = document_of(notification, self._address)
        attributes = {
            "noonday-id": notification.id,
            "noonday-type": notification.event,
            "noonday-owner": notification.owner,
            "noonday-job": str(document["data"]["name"]),
        }
        asked: dict[str, Any] = {
            "TopicArn": place,
            "Subject": f"{notification.event}: {document['data']['name']}"[:99],
            "Message": body_of(notification, self._address).decode(),
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value}
                for name, value in attributes.items()
            },
        }
        if place.endswith(
            ".fifo"
        ):  # in order for each job; a repetition within minutes is kept out
            asked["MessageGroupId"] = notification.job_id
            asked["MessageDeduplicationId"] = notification.id
        call("sns", "Publish", asked)
        return None


class EventBus(AwsChannel):
    """An event on a bus of EventBridge: source ``noonday``, its detail the document with the id."""

    name = "events"
    field = "bus"
    form = _BUS
    wanted = "name or ARN of an event bus"
    needs = (Need("events:PutEvents", "arn:aws:events:*:*:event-bus/{bus}"),)

    def resource(self, place: str) -> str:
        return f"{place}/{SOURCE}"

    def hand_over(self, place: str, notification: Notification, call: Caller) -> str | None:
        detail = {"id": notification.id, **document_of(notification, self._address)}
        entry = {
            "EventBusName": place,
            "Source": SOURCE,
            "DetailType": notification.event,
            "Detail": compact(detail).encode("utf-8", "replace").decode(),
            "Resources": [],
        }
        [taken] = call("events", "PutEvents", {"Entries": [entry]})["Entries"]
        code = taken.get("ErrorCode")  # it answers 200 with what it did not take inside
        return f"{code}: {taken.get('ErrorMessage', '')}" if code else None


AWS_CHANNELS: Sequence[type[AwsChannel]] = (SnsTopic, EventBus)
