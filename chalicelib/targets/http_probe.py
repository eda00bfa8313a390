"""Whether a URL answers with a status that somebody waits for; of the answer only the head is read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from http.client import HTTPException
from threading import Timer
from time import monotonic
from urllib.parse import urlsplit

from chalicelib.engine.conditions import Condition, Found
from chalicelib.model.errors import Problem
from chalicelib.model.prerequisite import Prerequisite
from chalicelib.targets.configuration import TargetSettings
from chalicelib.targets.http import port_of, url_complaint
from chalicelib.targets.http_addresses import Allowed, Forbidden, Resolver, checked, system_resolver
from chalicelib.targets.kind import Check

_HEADERS = {"User-Agent": "noonday", "Accept": "*/*", "Accept-Encoding": "identity"}


class HttpProbe:
    """Reaches the hosts that http targets reach, and no others."""

    def __init__(self, settings: TargetSettings, resolve: Resolver = system_resolver) -> None:
        self._settings = settings
        self._allowed = Allowed(settings.http_allow)
        self._resolve = resolve

    def problems(
        self,
        prerequisite: Prerequisite,
        parameters: Collection[str],
        owner: str,  # noqa: ARG002 - hosts and connections are everybody's
    ) -> Iterator[Problem]:
        check = Check(self._settings, frozenset(parameters))
        complaint = url_complaint(prerequisite.http or "", check)
        if complaint:
            yield Problem("http", complaint, prerequisite.http)

    def check(self, condition: Condition, seconds: float) -> Found:
        """Raises TimeoutError when the answer's head is not there in time, however slowly it comes."""
        complaint = url_complaint(condition.what, Check(self._settings, rendered=True))
        if complaint:
            return Found(met=False, what=complaint)
        end = monotonic() + seconds
        try:
            status = self._status(condition, end)
        except Forbidden as error:
            return Found(met=False, what=str(error))
        except (OSError, HTTPException, ValueError) as error:
            if monotonic() >= end or isinstance(error, TimeoutError):
                raise TimeoutError(f"no answer within {seconds:g} s") from error
            return Found(met=False, what=f"no answer: {error or type(error).__name__}")
        if status in condition.statuses or f"{status // 100}xx" in condition.statuses:
            return Found(met=True, what=f"answered {status}")
        wanted = ", ".join(str(one) for one in condition.statuses)
        return Found(met=False, what=f"answered {status}; wanted is {wanted}")

    def _status(self, condition: Condition, end: float) -> int:
        from chalicelib.targets.http_exchange import Exchange, Origin  # noqa: PLC0415  ssl: 27 ms

        parts = urlsplit(condition.what)
        origin = Origin(parts.hostname or "", port_of(parts), parts.scheme == "https")
        addresses = checked(origin.host, origin.port, self._allowed, self._resolve)
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        left = max(0.0, end - monotonic())
        exchange = Exchange(seconds=left)
        watch = Timer(left, exchange.cancel)  # a head that comes a byte at a time is never silent
        watch.daemon = True
        watch.start()
        try:
            sent = exchange.send(condition.method, origin, path, _HEADERS, None, addresses)
            return sent.status
        finally:
            watch.cancel()
            exchange.close()
