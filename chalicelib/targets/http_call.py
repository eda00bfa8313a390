"""A request of the kind ``http`` with all its hops, and what its answer means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from urllib.parse import SplitResult, urljoin, urlsplit

from chalicelib.engine.outcomes import Failed, Outcome, Succeeded
from chalicelib.engine.ports import LaunchRequest
from chalicelib.model.instants import parse_duration
from chalicelib.targets.files import Folders, OutsideFiles, drafting
from chalicelib.targets.http import HttpTarget, encoded, port_of, without_query
from chalicelib.targets.http_addresses import Allowed, Forbidden, Resolver, checked
from chalicelib.targets.http_exchange import Exchange, NotSent, Origin
from chalicelib.targets.run_log import RunLog

MAX_HOPS = 5
SHOWN_BYTES = 4096
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PERHAPS_LATER = frozenset({408, 425, 429})
_SECRET = re.compile(r"auth|cookie|secret|passw|token|credential|api-?key|session", re.IGNORECASE)


class TooLarge(Exception):
    """The body is longer than the target permits."""


class BadRedirect(Exception):
    """A redirect that is not followed, and why."""


class Call:
    """One run of the kind. ``cancel`` may come from any thread."""

    def __init__(
        self,
        spec: HttpTarget,
        request: LaunchRequest,
        allowed: Allowed,
        resolve: Resolver,
        folders: Folders,
        log: RunLog,
        *,
        left_s: float,
    ) -> None:
        self._spec = spec
        self._token = request.token
        self._callback = callback_headers(request)
        self._allowed = allowed
        self._resolve = resolve
        self._folders = folders
        self._log = log
        self._body, self._body_type = encoded(spec.body)
        own = parse_duration(spec.timeout) / 1000
        self._exchange = Exchange(seconds=max(0.0, min(own, left_s)))

    def cancel(self) -> None:
        self._exchange.cancel()

    def outcome(self) -> Outcome:
        """Never raises what the network or the other side can cause."""
        try:
            return self._answered(self._follow())
        except (Forbidden, OutsideFiles, TooLarge, BadRedirect) as error:
            return self._failed(str(error), retry=False)
        except NotSent as error:
            return self._failed(f"nothing was sent: {error}")
        except TimeoutError:
            return self._failed(
                f"no whole answer within {self._spec.timeout}; the request may have been carried out"
            )
        except (OSError, HTTPException, ValueError) as error:
            what = str(error) or type(error).__name__
            return self._failed(f"no whole answer: {what}; the request may have been carried out")
        finally:
            self._exchange.close()

    def _follow(self) -> HTTPResponse:
        """The answer of the last hop."""
        body = self._body
        headers = {"User-Agent": "noonday", "Accept": "*/*", "Accept-Encoding": "identity"}
        headers |= {**self._body_type, **self._callback}
        headers = _merged(headers, self._spec.headers)
        if self._spec.idempotency_header:
            headers = _merged(headers, {self._spec.idempotency_header: self._token})
        method, url = str(self._spec.method), self._spec.url
        for _ in range(MAX_HOPS + 1):
            response = self._send(method, url, headers, body)
            location = response.getheader("Location")
            if not (self._spec.follow_redirects and response.status in _REDIRECTS and location):
                return response
            following = _next_hop(url, location)
            if _origin(urlsplit(following)) != _origin(urlsplit(url)):
                headers = _without_secrets(headers, (*self._spec.headers, *self._callback))
            if response.status not in (307, 308) and method != "HEAD":
                method, body = "GET", None
                headers = {k: v for k, v in headers.items() if k.lower() != "content-type"}
            self._exchange.close()
            url = following
        raise BadRedirect(f"there were more than {MAX_HOPS} redirects")

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> HTTPResponse:
        parts = urlsplit(url)
        origin = _origin(parts)
        try:
            addresses = checked(origin.host, origin.port, self._allowed, self._resolve)
        except OSError as error:
            raise NotSent(f"the host {origin.host} cannot be found: {error}") from error
        path = parts.path or "/"
        self._log.say(f"{method} {without_query(url)}\n{_shown(headers)}")
        path = f"{path}?{parts.query}" if parts.query else path
        response = self._exchange.send(method, origin, path, headers, body, addresses)
        self._log.say(f"{response.status} {response.reason}\n{_shown(dict(response.getheaders()))}")
        return response

    def _answered(self, response: HTTPResponse) -> Outcome:
        if not self._spec.expects(response.status):
            self._show(response)
            return self._unexpected(response)
        if self._spec.result is None:
            self._show(response)
            return Succeeded(log_path=self._log.path, facts={"status": response.status})
        with drafting(self._folders, self._spec.result, self._token) as draft:
            size = 0
            for piece in self._exchange.pieces(response):
                size += len(piece)
                if size > self._spec.max_bytes:
                    raise TooLarge(f"the body is larger than max_bytes: {self._spec.max_bytes}")
                draft.file.write(piece)
            _whole(response, size)
            draft.finish()
            draft.publish()
        self._log.say(f"{size} bytes in {self._spec.result}")
        facts = {"status": response.status, "bytes": size}
        return Succeeded(self._spec.result, self._log.path, facts)

    def _show(self, response: HTTPResponse) -> None:
        """The first of the body; the rest is not even read. The status stands, whatever becomes of it."""
        shown = b""
        with suppress(OSError, HTTPException, ValueError):
            for piece in self._exchange.pieces(response):
                shown += piece
                if len(shown) >= SHOWN_BYTES:
                    break
        self._log.say(shown[:SHOWN_BYTES].decode("utf-8", "replace"))

    def _unexpected(self, response: HTTPResponse) -> Outcome:
        status = response.status
        text = f"answered {status} {response.reason}".rstrip()
        later = response.getheader("Retry-After")
        if later:
            text += f"; it asks to come back after {later[:50]}"
        if status in _REDIRECTS and not self._spec.follow_redirects:
            text += "; set follow_redirects: true to follow it"
        wanted = ", ".join(str(one) for one in self._spec.expected_status)
        retry = not 300 <= status < 500 or status in _PERHAPS_LATER
        return self._failed(f"{text}; expected was {wanted}", retry=retry)

    def _failed(self, error: str, *, retry: bool = True) -> Failed:
        self._log.say(f"failed: {error}")
        return Failed(error=error, retry=retry, log_path=self._log.path)


def _origin(parts: SplitResult) -> Origin:
    return Origin(parts.hostname or "", port_of(parts), parts.scheme == "https")


def _next_hop(url: str, location: str) -> str:
    """Raises BadRedirect for what leaves the web, or its encryption."""
    try:
        following = urljoin(url, location)
        parts = urlsplit(following)
        port_of(parts)
    except ValueError as error:
        raise BadRedirect(f"redirected to something that is no URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadRedirect(f"redirected to {parts.scheme or 'something that is no URL'}")
    if urlsplit(url).scheme == "https" and parts.scheme == "http":
        raise BadRedirect(f"redirected from https to {without_query(following)}, unencrypted")
    return following


def _merged(headers: Mapping[str, str], over: Mapping[str, str]) -> dict[str, str]:
    """Names are compared without case; the second wins."""
    mine = {name.lower() for name in over}
    return {name: value for name, value in headers.items() if name.lower() not in mine} | dict(over)


def callback_headers(request: LaunchRequest) -> Mapping[str, str]:
    """Where the target reports, and what it shows there."""
    callback = request.callback
    if callback is None:
        return {}
    return {
        "Noonday-Callback-Url": callback.url,
        "Noonday-Callback-Token": callback.credential,
    }


def _without_secrets(headers: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """What was meant for one host is not shown to another."""
    given = {name.lower() for name in names} - {"accept", "content-type", "user-agent"}
    return {name: value for name, value in headers.items() if name.lower() not in given}


def _shown(headers: Mapping[str, str]) -> str:
    return "\n".join(
        f"  {name}: {'(hidden)' if _SECRET.search(name) else value}"
        for name, value in headers.items()
    )


def _whole(response: HTTPResponse, size: int) -> None:
    """``read1`` does not complain about a body that ends early."""
    promised = response.getheader("Content-Length")
    head = promised is None or not promised.isdigit()
    if not head and response.getheader("Transfer-Encoding") is None and size < int(promised or 0):
        raise OSError(f"the body ended after {size} of {promised} bytes")
