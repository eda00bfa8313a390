"""The channel ``webhook``: a signed POST to a URL. Private hosts are refused as for http targets."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chalicelib.channels.payload import body_of
from chalicelib.channels.signing import secrets_for, signed
from chalicelib.engine.notification_ports import Receipt
from chalicelib.engine.ports import Clock
from chalicelib.model.notification import Notification
from chalicelib.targets.http import port_of
from chalicelib.targets.http_addresses import (
    Allowed,
    Forbidden,
    Resolver,
    checked,
    forbidden_literal,
    system_resolver,
)

if TYPE_CHECKING:
    from http.client import HTTPResponse

SECONDS = 10.0  # for the whole exchange
SHOWN_BYTES = 500  # of an answer that refuses; more is not even read
GONE = 410
_LATER = frozenset({429, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """``secrets``: texts by owner, ``*`` for all others. ``address``: where others reach this server."""

    http_allow: tuple[str, ...] = ()
    secrets: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    address: str | None = None


class Webhook:
    name = "webhook"

    def __init__(
        self,
        settings: WebhookSettings,
        clock: Clock,
        resolve: Resolver = system_resolver,
        seconds: float = SECONDS,
    ) -> None:
        self._settings = settings
        self._allowed = Allowed(settings.http_allow)
        self._clock = clock
        self._resolve = resolve
        self._seconds = seconds

    def complaint(self, channel: Mapping[str, Any], owner: str) -> str | None:
        del owner  # whom http may reach is the same for all
        return url_complaint(str(channel["url"]), self._allowed)

    def deliver(self, channel: Mapping[str, Any], notification: Notification) -> Receipt:
        from http.client import HTTPException  # noqa: PLC0415  with ssl it takes 27 ms to import

        try:
            return self._exchanged(str(channel["url"]), notification)
        except Forbidden as error:
            return Receipt(str(error), give_up=True)
        except TimeoutError:
            return Receipt(f"no answer within {self._seconds:g} seconds")
        except (OSError, HTTPException, ValueError) as error:
            return Receipt(f"no answer: {str(error) or type(error).__name__}")

    def _exchanged(self, url: str, notification: Notification) -> Receipt:
        from chalicelib.targets.http_exchange import Exchange, Origin  # noqa: PLC0415  as above

        parts = urlsplit(url)
        origin = Origin(parts.hostname or "", port_of(parts), parts.scheme == "https")
        addresses = checked(origin.host, origin.port, self._allowed, self._resolve)
        body = body_of(notification, self._settings.address)
        secrets = secrets_for(notification.owner, self._settings.secrets)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "noonday",
            "Accept-Encoding": "identity",
            **signed(notification.id, self._clock.now_ms() // 1000, body, secrets),
        }
        exchange = Exchange(seconds=self._seconds)
        over = threading.Event()

        def time_is_up() -> (
            None
        ):  # a receiver that sends a byte now and then would hold us for ever
            over.set()
            exchange.cancel()

        timer = threading.Timer(self._seconds, time_is_up)
        timer.daemon = True
        timer.start()
        try:
            path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
            response = exchange.send("POST", origin, path, headers, body, addresses)
            if over.is_set():  # what looks like the end of the headers was ours
                raise TimeoutError
            return self._receipt(response, exchange)
        except (OSError, ValueError) as error:
            if over.is_set():
                raise TimeoutError from error
            raise
        finally:
            timer.cancel()
            exchange.close()

    def _receipt(self, response: HTTPResponse, exchange: Any) -> Receipt:
        status = response.status
        shown = b""
        with suppress(Exception):  # the status stands, whatever becomes of the body
            for piece in exchange.pieces(response):
                shown += piece
                if len(shown) >= SHOWN_BYTES:
                    break
        if 200 <= status < 300:
            return Receipt()
        error = f"answered {status} {response.reason}".rstrip()
        if 300 <= status < 400:
            error += "; redirects are not followed, so name the URL that it leads to"
        text = shown[:SHOWN_BYTES].decode("utf-8", "replace").strip()
        if text:
            error += f": {text}"
        asked = response.getheader("Retry-After") if status in _LATER else None
        return Receipt(error, self._wait_ms(asked), give_up=status == GONE)

    def _wait_ms(self, text: str | None) -> int | None:
        """Seconds, or a date; what is neither asks for nothing."""
        if text is None:
            return None
        if text.strip().isascii() and text.strip().isdigit():
            return int(text.strip()[:9]) * 1000
        from email.utils import parsedate_to_datetime  # noqa: PLC0415  rarely needed

        with suppress(ValueError, OverflowError, TypeError):
            at_ms = int(parsedate_to_datetime(text).timestamp() * 1000)
            return max(0, at_ms - self._clock.now_ms())
        return None


def url_complaint(url: str, allowed: Allowed) -> str | None:
    """What can be said of a URL without asking anybody."""
    try:
        parts = urlsplit(url)
        port = port_of(parts)
    except ValueError as error:
        return f"is no URL: {error}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "is no URL of a web server; write https://host/path"
    if parts.username is not None or parts.password is not None:
        return "carries credentials; deliveries are signed instead (NOONDAY_WEBHOOK_SECRETS)"
    if not url.isascii() or any(ord(sign) <= 32 or ord(sign) == 127 for sign in url):
        return "contains spaces or letters that a URL has to escape, like %20"
    return forbidden_literal(parts.hostname, port, allowed)
