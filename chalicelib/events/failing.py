"""What a function of events does when it fails: it says so in a line, and lets its caller know.

Whoever called it decides what follows: a queue gives its messages out again, EventBridge calls once more or
waits for the next minute. Nothing is lost by that: what is due stands in the store.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from chalice.app import Chalice, CloudWatchEvent, EventSourceHandler

from chalicelib.model.errors import NoondayError
from chalicelib.notifications.clock import wall_ms
from chalicelib.notifications.log import JsonLog
from chalicelib.wiring import noonday

KINDS = ("scheduled", "sqs", "cloudwatch")
"""As Chalice calls the events that somebody else than a person sends."""


def tell(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """A middleware of Chalice: around every handler of these events."""
    try:
        return get_response(event)
    except Exception as error:
        function = getattr(event.context, "function_name", None)
        _log().failure(error, function=function)
        raise


class AnyEvent(CloudWatchEvent):
    """An event of EventBridge of which nothing is expected, for nothing of it is believed.

    Chalice's own raises at whatever is missing, before anybody can say so; and Lambda would repeat it.
    """

    def _extract_attributes(self, event_dict: Any) -> None:
        del event_dict


def take_any_event(app: Chalice) -> None:
    """Handlers of EventBridge's events get whatever comes."""
    for handler in app.handler_map.values():
        if isinstance(handler, EventSourceHandler) and handler.event_class is CloudWatchEvent:
            handler.event_class = AnyEvent


def _log() -> JsonLog:
    """Also of a process that could not be composed, which is what there is to be said then."""
    try:
        return noonday().log
    except NoondayError:
        return JsonLog(sys.stderr, "error", wall_ms)
