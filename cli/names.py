"""How people name things: jobs by name or id; instances by id, its beginning, or JOB@WHEN."""

from __future__ import annotations

import contextlib
import re
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import click
from click.shell_completion import CompletionItem

from cli.client import Client, path
from cli.errors import Failure, Missing, Misused
from cli.session import Session
from cli.times import instant_ms, is_absolute

_ID = re.compile(r"[0-9a-f]{32}")
_BEGINNING = re.compile(r"[0-9a-f]{13,31}")
_TIME_DIGITS = 12  # an instance's id begins with its nominal time: 48 bits


class JobName(click.ParamType[str]):
    """A job's name or id, completed by asking the server."""

    name = "job"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click passes it
        incomplete: str,
    ) -> list[CompletionItem]:
        """Silent when the server is away: a completion that complains spoils the line being typed."""
        from cli.transport import Patience  # noqa: PLC0415 - only completion asks so briefly

        try:
            session = _session(ctx)
            patience = Patience(tries=1, connect=0.5, answer=1.0)
            query = {"name": incomplete or None, "limit": 100}
            api = Client(session.access(), patience=patience)
            with contextlib.closing(api):
                page = api.get("/jobs", query)
            names = [str(job.get("name")) for job in page["items"]]
        except Exception:  # noqa: BLE001 - see above
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


JOB = JobName()


def instance_id(api: Client, reference: str) -> str:
    """The id of the instance that a person named.

    Raises:
        Misused: the reference has none of the forms.
        Missing: there is no such instance.
    """
    if _ID.fullmatch(reference):
        return reference
    job, at, when = reference.rpartition("@")
    if at and job and when:
        return _latest(api, job) if when == "latest" else _nominal(api, job, when)
    if _BEGINNING.fullmatch(reference):
        return _beginning(api, reference)
    raise Misused(
        f"{reference!r} names no instance",
        hint="write its id, the first 16 digits of it, JOB@latest or JOB@2026-11-24T06:00:00Z",
    )


def _latest(api: Client, job: str) -> str:
    items = api.get(path("jobs", job, "instances"), {"limit": 1})["items"]
    if not items:
        raise Missing(f"job {job} has no instance yet", hint=f"noonday job next {job} shows when")
    return str(items[0]["id"])


def _nominal(api: Client, job: str, when: str) -> str:
    document = api.get(path("jobs", job))
    try:
        ms = instant_ms(when, None if is_absolute(when) else zone_of(document))
    except Misused as error:
        error.hint = f"write {job}@latest, or {job}@2026-11-24T06:00:00Z"
        raise
    found = _between(api, {"job": document["id"]}, ms)
    if not found:
        raise Missing(
            f"job {job} has no instance of {when}{_why_none(api, document['id'], ms)}",
            hint=f"noonday instance list --job {job}",
        )
    return str(found[0]["id"])


def _why_none(api: Client, job_id: str, ms: int) -> str:
    """What was skipped or purged is known to have been."""
    try:
        page = api.get(path("jobs", job_id, "skips"), {"from": ms, "to": ms + 1, "limit": 1})
    except Missing:
        return ""
    return "".join(f": {each.get('because')}" for each in page["items"][:1])


def _beginning(api: Client, reference: str) -> str:
    ms = int(reference[:_TIME_DIGITS], 16)
    found = [each for each in _between(api, {}, ms) if str(each["id"]).startswith(reference)]
    if not found:
        raise Missing(f"there is no instance whose id begins with {reference}")
    if len(found) > 1:
        raise Misused(f"{len(found)} instances begin with {reference}", hint="write more digits")
    return str(found[0]["id"])


def _between(api: Client, query: dict[str, Any], ms: int) -> list[dict[str, Any]]:
    page = api.pages("/instances", {**query, "from": ms, "to": ms + 1}, limit=None)
    return [dict(each) for each in page["items"]]


def zone_of(job: dict[str, Any]) -> tzinfo:
    """The zone that the job's times are in.

    Raises:
        Misused: this machine does not know it.
    """
    name = ((job.get("definition") or {}).get("schedule") or {}).get("timezone")
    try:
        return ZoneInfo(name or "UTC")
    except (OSError, ValueError) as error:
        raise Misused(
            f"this machine does not know the zone {name}", hint="write the time with its offset"
        ) from error


def _session(ctx: click.Context) -> Session:
    """While completing, no command has run yet: what the root command would have noted is read here."""
    import os  # noqa: PLC0415 - as above

    given = ctx.find_root().params
    return Session(
        environment=os.environ,
        url=given.get("url"),
        profile=given.get("profile"),
        owner=given.get("owner"),
    )


def server_now(api: Client) -> int:
    """The server's time: its clock may be moved by hand, so ours does not say when "in 2 h" is."""
    now = api.get("/health").get("now_ms")
    if not isinstance(now, int):
        raise Failure("the server does not say what time it is")
    return now
