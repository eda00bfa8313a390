"""Report to Noonday how a run goes, from the program that does its work.

::

    from noonday.callback import Callback

    with Callback.from_environment() as run:
        for number, page in enumerate(pages):
            run.check(f"page {number} of {len(pages)}")
            work(page)

The run is reported as running, heartbeats follow from a thread of their own, and its end is reported when the
block ends: succeeded, or failed with the exception. ``check`` raises when the run was killed or is over.

This file needs nothing beside the standard library of Python 3.9 or later: it may be copied.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from types import TracebackType
from typing import Any

URL, TOKEN = "NOONDAY_CALLBACK_URL", "NOONDAY_CALLBACK_TOKEN"
SECONDS = 10.0  # for one try
LONGEST_DELAY = 30.0
_MOST_WORDS, _MOST_ERROR = 1000, 4000

Answer = tuple[int, bytes]
Send = Callable[[str, Mapping[str, str], bytes], Answer]


class CallbackError(Exception):
    """The root of what is raised here."""


class NotTaken(CallbackError):
    """Noonday refused the report, or could not be reached for as long as was tried."""


class Stop(CallbackError):
    """The run is not to go on: somebody killed it, its time is over, or another run took its place."""


class Callback:
    """Reports of one run. Safe for threads."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        every: float = 20.0,
        tries: int = 8,
        send: Send | None = None,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        """``every``: seconds between heartbeats; at most half of what ``timeouts.heartbeat`` says.

        ``tries``: of each report, with growing delays between them; 8 go on for a minute and a half. ``send``
        and ``wait`` are for tests.
        """
        if not url.startswith(("http://", "https://")) or not token:
            raise ValueError("a callback needs the url and the token that the run was given")
        self._url = url
        self._token = token
        self._every = every
        self._tries = tries
        self._send = send or _post
        self._over = threading.Event()
        self._wait = wait
        self._why: str | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"Callback({self._url!r})"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **options: Any) -> Callback:
        """For programs of the kind ``process``."""
        found = os.environ if environ is None else environ
        return cls(found.get(URL, ""), found.get(TOKEN, ""), **options)

    @classmethod
    def from_event(cls, event: Mapping[str, Any], **options: Any) -> Callback:
        """For functions and receivers of messages whose definition says nothing of their content."""
        told = event.get("callback") or {}
        return cls(str(told.get("url", "")), str(told.get("token", "")), **options)

    @classmethod
    def from_headers(cls, headers: Mapping[str, str], **options: Any) -> Callback:
        """For servers that a request of the kind ``http`` reaches."""
        found = {name.lower(): value for name, value in headers.items()}
        url, token = (found.get(f"noonday-callback-{name}", "") for name in ("url", "token"))
        return cls(url, token, **options)

    @property
    def stopping(self) -> bool:
        """Whether the run is not to go on."""
        return self._why is not None

    def running(self, message: str | None = None) -> None:
        """The work has begun. Raises Stop, NotTaken."""
        self._alive("running", message)

    def heartbeat(self, message: str | None = None) -> None:
        """The work goes on. Raises Stop, NotTaken."""
        self._alive("heartbeat", message)

    def check(self, message: str | None = None) -> None:
        """Raises Stop if the run is not to go on; with a message it is a heartbeat, too. Cheap without."""
        if message is not None and not self.stopping:
            try:
                self.heartbeat(message)
            except NotTaken:
                return  # the thread's heartbeats go on; if they fail too, the run is ended by Noonday
        if self._why is not None:
            raise Stop(self._why)

    def succeeded(self, message: str | None = None) -> None:
        """The work is done. Raises Stop when the run ended otherwise, NotTaken."""
        self._report("succeeded", message=message)

    def failed(self, error: str, *, retry: bool = True) -> None:
        """``retry``: whether another run may help. Raises Stop, NotTaken."""
        self._report("failed", error=error[:_MOST_ERROR], retry=retry)

    def stopped(self) -> None:
        """The work was given up, as was asked for. Raises NotTaken."""
        self._report("stopped")

    def __enter__(self) -> Callback:
        self.running()
        self._thread = threading.Thread(target=self._beat, name="noonday-heartbeat", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, trace
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        done = error is None or (isinstance(error, SystemExit) and not error.code)
        try:
            if done:  # also when a stop came too late to be heard
                self.succeeded()
            elif isinstance(error, Stop):
                self.stopped()
            else:
                self.failed(f"{type(error).__name__}: {error}")
        except CallbackError:
            if error is None:
                raise  # else what happened first is what is told

    def _beat(self) -> None:
        """What a heartbeat says is kept for ``check``; one that was not taken is followed by the next."""
        while not self._over.wait(self._every) and not self.stopping:
            try:
                self._alive("heartbeat", None, tries=1)  # the next heartbeat is its repetition
            except CallbackError:
                continue

    def _alive(self, report: str, message: str | None, *, tries: int | None = None) -> None:
        stop = self._report(report, tries=tries, message=message).get("stop")
        if stop:
            self._stop(f"{stop.get('kind')}: {stop.get('reason') or 'asked to stop'}")

    def _report(self, report: str, *, tries: int | None = None, **fields: Any) -> dict[str, Any]:
        """One report, again and again until it is taken or refused."""
        if fields.get("message") is not None:
            fields["message"] = fields["message"][:_MOST_WORDS]
        document = {"report": report, **{k: v for k, v in fields.items() if v is not None}}
        content = json.dumps(document).encode()
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            "User-Agent": "noonday-callback",
        }
        told = ""
        for attempt in range(tries or self._tries):
            if attempt:
                delay = min(LONGEST_DELAY, 2.0 ** (attempt - 1))
                self._wait(delay * (0.5 + random.random() / 2))  # noqa: S311 - spreads, hides nothing
            try:
                status, answer = self._send(self._url, headers, content)
            except (OSError, HTTPException) as error:
                told = f"cannot be reached: {error}"
                continue
            if status == 200:
                return _document(answer)
            told = f"answered {status}: {_document(answer).get('detail', '')}"
            if status == 409:
                self._stop(str(_document(answer).get("detail", "the run is over")))
            if status < 500 and status != 429:
                break
        raise NotTaken(f"{report}: Noonday {told}")

    def _stop(self, why: str) -> None:
        with self._lock:
            self._why = self._why or why
        raise Stop(why)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token is for Noonday, and for nobody to whom it would point."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _post(url: str, headers: Mapping[str, str], content: bytes) -> Answer:
    request = urllib.request.Request(url, content, dict(headers), method="POST")  # noqa: S310
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=SECONDS) as response:
            return response.status, response.read(100_000)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(100_000)


def _document(answer: bytes) -> dict[str, Any]:
    try:
        document = json.loads(answer)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
