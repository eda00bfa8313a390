"""Notifications: what was told, to whom, how far it came; delivered anew, and tried."""

from __future__ import annotations

import json
from typing import Annotated

from chalice.app import Response
from pydantic import BeforeValidator, Field, JsonValue

from chalicelib.api.call import Call
from chalicelib.api.documents import Answer, MaybeMs, MaybeTime, Ms, Time, twins
from chalicelib.api.paging import read_cursor, write_cursor
from chalicelib.api.rendering import answer
from chalicelib.api.requests import Because, PageQuery, Query, upper
from chalicelib.api.resource import Resource
from chalicelib.engine import notification_desk
from chalicelib.engine.filters import NotificationFilter
from chalicelib.engine.notification_desk import NotificationView
from chalicelib.engine.views import Page
from chalicelib.model.notification import NotificationState

resource = Resource(__name__, "notifications")


class NotificationsQuery(PageQuery):
    state: Annotated[tuple[NotificationState, ...], BeforeValidator(upper)] = ()
    job: str | None = Field(None, description="Id or name of a job")


class NotificationDocument(Answer):
    """One event for one channel, and how far its delivery is. Receivers see the id as webhook-id."""

    id: str
    job_id: str
    name: str = Field(description="The job's")
    owner: str
    instance_id: str | None
    event: str = Field(description="What is told; the payload's type")
    channel: dict[str, JsonValue] = Field(
        description="Its kind, and what that needs: a url, a topic or a bus"
    )
    state: NotificationState
    attempts: int = Field(description="Deliveries that were begun")
    error: str | None = Field(description="How the last of them failed")
    payload: dict[str, JsonValue]
    next_ms: MaybeMs = Field(description="When it is tried next; null once it has ended")
    next_time: MaybeTime
    give_up_ms: Ms
    give_up_time: Time
    created_ms: Ms
    created_time: Time
    ended_ms: MaybeMs
    ended_time: MaybeTime


class NotificationPage(Answer):
    items: list[NotificationDocument]
    next: str | None


@resource.route("GET", "/notifications", {200: NotificationPage}, refusals=frozenset({404, 409}))
def list_notifications(call: Call, query: NotificationsQuery) -> Response:
    """Notifications, the newest event first; with `state=FAILED` those that nobody took."""
    wanted = NotificationFilter(
        owner=call.owner,
        state=tuple(query.state),
        after=read_cursor(query.next),
        limit=query.limit,
    )
    job_ref = call.named_job(query.job) if query.job else None
    return answer(
        _page(notification_desk.notifications(call.engine, call.principal, wanted, job_ref))
    )


@resource.route(
    "GET",
    "/notifications/{notification_id}",
    {200: NotificationDocument},
    refusals=frozenset({404}),
)
def show_notification(call: Call) -> Response:
    """A notification: what is told, and how far its delivery is."""
    view = notification_desk.notification(call.engine, call.principal, call.path["notification_id"])
    return answer(_document(view))


@resource.route(
    "POST",
    "/notifications/{notification_id}/redeliver",
    {200: NotificationDocument},
    refusals=frozenset({403, 404}),
)
def redeliver_notification(call: Call, body: Because, query: Query) -> Response:  # noqa: ARG001
    """Deliver a notification now, whatever came of it before, and try for another day."""
    view = notification_desk.redeliver(
        call.engine, call.principal, call.path["notification_id"], reason=body.reason
    )
    return answer(_document(view))


@resource.route(
    "POST",
    "/jobs/{job_id}/notify/test",
    {200: NotificationPage},
    refusals=frozenset({403, 404, 409}),
)
def try_notifications(call: Call, query: Query) -> Response:  # noqa: ARG001
    """Send each channel of the job a notification of the type `notification.test`."""
    views = notification_desk.try_channels(call.engine, call.principal, call.job_ref)
    return answer(_page(Page(views, None)))


def _document(view: NotificationView) -> NotificationDocument:
    one = view.notification
    return NotificationDocument(
        id=one.id,
        job_id=one.job_id,
        name=view.job_name,
        owner=one.owner,
        instance_id=one.instance_id,
        event=one.event,
        channel=json.loads(one.channel_json),
        state=one.state,
        attempts=one.attempts,
        error=one.error,
        payload=json.loads(one.payload_json),
        **twins(
            next=one.wake_ms,
            give_up=one.give_up_ms,
            created=one.created_ms,
            ended=one.ended_ms,
        ),
    )


def _page(page: Page[NotificationView]) -> NotificationPage:
    items = [_document(view) for view in page.items]
    return NotificationPage(items=items, next=write_cursor(page.next))
