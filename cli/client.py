"""Noonday's REST interface as a Python object: documents in, documents or failures out."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from cli.cognito import Ended
from cli.errors import Clash, Failure, Missing, Problem
from cli.gateway import explain, gateways_word
from cli.identity_tokens import read_token
from cli.session import Access
from cli.signing import Signer
from cli.text import one_line
from cli.times import age
from cli.transport import Patience, Request, Response, Transport

Document = dict[str, Any]
Query = Mapping[str, object]
PAGE = 200
_FAILURES: Mapping[int, type[Failure]] = {404: Missing, 409: Clash, 412: Clash, 428: Clash}
_HINTS = {
    "unauthenticated": "set NOONDAY_TOKEN, or noonday config set token; make run writes one for itself",
    "unrecognised": "noonday whoami shows whom the server takes you for; its operator says what you may",
    "stale_edit": "somebody changed it meanwhile: look at it again, then repeat your change",
    "name_taken": "noonday job update FILE changes the job that is there",
    "already_exists": "noonday instance rerun JOB@TIME runs it again",
    "quota_exceeded": "noonday owner show OWNER tells what there may be, and what there is",
}

RENEWED_S = 60
"""An ID token that ends so soon is renewed: the request, and those that follow it, take their time."""


class Client:
    """One server and one principal. Keeps its connection."""

    def __init__(
        self,
        access: Access,
        *,
        patience: Patience | None = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.access = access
        self._token = access.token
        self._signer = Signer(access.region, access.aws_profile) if access.auth == "iam" else None
        sign = self._signer.headers if self._signer else None
        self.transport = Transport(access.url, patience=patience, notice=notice, sign=sign)
        if access.token and not sign and self.transport.is_plain_and_far:
            notice(f"warning: the token travels unencrypted to {access.url}; use https")

    def close(self) -> None:
        """End the connection; another request begins another."""
        self.transport.close()

    def get(self, path: str, query: Query | None = None) -> Any:
        """The document at a path."""
        return self.document(self.response("GET", path, query))

    def post(
        self, path: str, body: object = None, query: Query | None = None, *, keyed: bool = True
    ) -> Any:
        """Do it once: the key makes a repeat after a lost answer harmless.

        ``keyed=False`` is for what the server does not remember by key; it is never repeated.
        """
        return self.document(self.response("POST", path, query, body=body, keyed=keyed))

    def put(
        self,
        path: str,
        body: object,
        query: Query | None = None,
        *,
        if_match: str | None = None,
    ) -> Any:
        """Replace it; with ``if_match`` only while it is what we have seen."""
        return self._change("PUT", path, body, query, if_match)

    def patch(
        self,
        path: str,
        body: object,
        query: Query | None = None,
        *,
        if_match: str | None = None,
    ) -> Any:
        """Change parts of it, by a merge patch: null removes."""
        return self._change("PATCH", path, body, query, if_match)

    def file(self, path: str, query: Query | None = None) -> bytes:
        """What a run left, byte by byte."""
        headers = {"Accept": "application/octet-stream"}
        return self.response("GET", path, query, headers=headers).body

    def delete(self, path: str, query: Query | None = None) -> Any:
        """Delete it; the document of what it was, where the server sends one."""
        response = self.response("DELETE", path, query)
        return self.document(response) if response.body else None

    def response(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        keyed: bool = False,
    ) -> Response:
        """The server's answer, when it is a success.

        Raises:
            Failure: the server refused, with its own words; or it could not be reached.
        """
        content = None if body is None else json.dumps(body, allow_nan=False).encode()
        own = self._headers(keyed=keyed, has_body=content is not None)
        request = Request(
            method,
            path + _query(query or {}),
            {**own, **(headers or {})},
            content,
            repeatable=keyed or method == "GET",
        )
        response = self.transport.send(request)
        if 200 <= response.status < 300:
            return response
        raise self._refusal(request, response)

    def pages(self, path: str, query: Query, *, limit: int | None) -> Document:
        """A list, read page by page, as one list document; ``limit`` None reads all of it."""
        items: list[Document] = []
        following = query.get("next")
        while True:
            wanted = PAGE if limit is None else min(PAGE, limit - len(items))
            page = self.get(path, {**query, "limit": wanted, "next": following})
            items += _items(page)
            seen, following = following, page.get("next")
            if following and following == seen:
                raise Failure("the server's list goes in circles: the next page is the same page")
            if not following or (limit is not None and len(items) >= limit):
                return {**page, "items": items, "next": following}

    def _change(
        self, method: str, path: str, body: object, query: Query | None, if_match: str | None
    ) -> Any:
        headers = {"If-Match": if_match} if if_match else {}
        return self.document(self.response(method, path, query, body=body, headers=headers))

    def _headers(self, *, keyed: bool, has_body: bool) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "noonday-cli"}
        if self._token and self.access.auth != "iam":
            headers["Authorization"] = self._authorization(self._token)
        if self.access.owner:
            headers["X-Noonday-Owner"] = self.access.owner
        if has_body:
            headers["Content-Type"] = "application/json"
        if keyed:
            headers["Idempotency-Key"] = uuid.uuid4().hex
        return headers

    def _authorization(self, token: str) -> str:
        """API Gateway takes an ID token as it is. One that has ended is renewed, or not even sent.

        Raises:
            Failure: it has ended.
        """
        if self.access.auth != "cognito":
            return f"Bearer {token}"
        found = read_token(token)
        now = self.transport.patience.now()
        if found is None or found.ends_s is None or found.ends_s > now + RENEWED_S:
            return token
        if self.access.renew is not None:
            return self._renewed(self.access.renew)
        if found.ends_s <= now:
            ended = age(int(found.ends_s * 1000), int(now * 1000))
            raise Failure(
                f"the ID token (from {self.access.token_from}) has expired, {ended}",
                hint="noonday login keeps a new one, or set NOONDAY_TOKEN",
            )
        return token

    def _renewed(self, renew: Callable[[], str]) -> str:
        try:
            self._token = renew()
        except Ended as error:
            raise Failure(
                f"you are not signed in any more: {error.message}",
                hint="sign in again: noonday login",
            ) from error
        return self._token

    def document(self, response: Response) -> Any:
        """The document that an answer carries."""
        try:
            return json.loads(response.body)
        except (ValueError, RecursionError) as error:
            raise self._not_noonday(response) from error

    def _refusal(self, request: Request, response: Response) -> Failure:
        try:
            document = json.loads(response.body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or not ("title" in document or "detail" in document):
            return self._gateways(response) or self._not_noonday(response)
        failure = refusal(response.status, document, response.header("retry-after"))
        if response.status in (401, 403) and self.access.auth != "token":
            failure.hint = self._who() or _HINTS["unrecognised"]
        if failure.problems:
            # Their detail only joins them; the lines below say it better.
            changes = request.method != "GET" and not request.path.startswith("/schedule/")
            failure.message = (
                "not accepted, and nothing was changed:" if changes else "not accepted:"
            )
        return failure

    def _gateways(self, response: Response) -> Failure | None:
        """What API Gateway said in the place of Noonday, with the caller it was said to."""
        word = gateways_word(response)
        if word is None:
            return None
        failure = explain(response.status, *word, self.access.auth)
        who = self._who() if response.status in (401, 403) else None
        if who:
            failure.hint = f"{who}; {failure.hint}" if failure.hint else who
        return failure

    def _who(self) -> str | None:
        arn = self._signer.caller() if self._signer else None
        return f"you are {arn}" if arn else None

    def _not_noonday(self, response: Response) -> Failure:
        kind = response.header("content-type") or "no content type"
        return _FAILURES.get(response.status, Failure)(
            f"{self.transport.url} answered {response.status} with {kind}, not with a document of Noonday",
            hint="is the address right? noonday config show",
        )


def refusal(status: int, document: Document, retry_after: str | None = None) -> Failure:
    """A problem document in the words of a person at a terminal."""
    problems = [
        Problem(str(each.get("field") or ""), str(each.get("message") or ""), each.get("value"))
        for each in document.get("problems") or []
        if isinstance(each, dict)
    ]
    words = document.get("detail") or document.get("title")
    hint = _HINTS.get(str(document.get("code")))
    if status == 503:
        hint = f"try again in {retry_after} s" if retry_after else "try again in a moment"
    kind = _FAILURES.get(status, Failure)
    return kind(one_line(words or f"refused with status {status}"), problems=problems, hint=hint)


def path(*parts: str) -> str:
    """A path of names and ids, each quoted: ``path("jobs", "a/b")`` is ``/jobs/a%2Fb``."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _query(query: Query) -> str:
    pairs = [
        (name, _text(value))
        for name, values in query.items()
        for value in (values if isinstance(values, list | tuple) else [values])
        if value is not None
    ]
    # %20 and not +, which signatures do not know as a space.
    return f"?{urlencode(pairs, quote_via=quote)}" if pairs else ""


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _items(page: object) -> Iterator[Document]:
    if not isinstance(page, dict) or not isinstance(page.get("items"), list):
        raise Failure("the server's list is not of the form {items, next}")
    yield from page["items"]
