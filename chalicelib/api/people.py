"""Owners (teams), their members, and tokens."""

from __future__ import annotations

from chalice.app import Response

from chalicelib.api.call import Call
from chalicelib.api.documents import (
    LimitsDocument,
    MemberDocument,
    MemberPage,
    OwnerDocument,
    OwnerPage,
    OwnerQuotasDocument,
    OwnLimitsDocument,
    TokenDocument,
    UseDocument,
    WhoDocument,
    twins,
)
from chalicelib.api.rendering import answer, listed
from chalicelib.api.requests import MemberBody, OwnerBody, Query, QuotasBody, TokenBody
from chalicelib.api.resource import Resource
from chalicelib.engine import commands, queries
from chalicelib.engine.views import OwnerView

resource = Resource(__name__, "people")


@resource.route("GET", "/whoami", {200: WhoDocument})
def whoami(call: Call) -> Response:
    """Who the request's token stands for, and with which roles."""
    who = call.principal
    named = {"name": who.name, "admin": who.admin, "roles": dict(who.roles)}
    return answer(WhoDocument(**named, owner=queries.owner_of_new_jobs(who, call.owner)))


@resource.route("GET", "/owners", {200: OwnerPage})
def list_owners(call: Call, query: Query) -> Response:  # noqa: ARG001 -- checked, documented
    """The owners that the principal belongs to; all for an admin."""
    names = queries.owners(call.engine, call.principal)
    return answer(OwnerPage(**listed([OwnerDocument(name=name) for name in names])))


@resource.route("POST", "/owners", {201: OwnerDocument}, refusals=frozenset({403}))
def create_owner(call: Call, body: OwnerBody, query: Query) -> Response:  # noqa: ARG001
    """Create an owner; one that exists is no error."""
    name = commands.create_owner(call.engine, call.principal, body.name)
    return answer(OwnerDocument(name=name), 201, Location=f"/owners/{name}")


@resource.route("GET", "/owners/{owner}", {200: OwnerQuotasDocument}, refusals=frozenset({404}))
def show_owner(call: Call) -> Response:
    """An owner: what it may have at most, and what it has."""
    return answer(_owner(queries.owner(call.engine, call.principal, call.path["owner"])))


@resource.route(
    "PATCH", "/owners/{owner}", {200: OwnerQuotasDocument}, refusals=frozenset({403, 404})
)
def set_quotas(call: Call, body: QuotasBody) -> Response:
    """Change what an owner may have at most; null restores the installation's default.

    What it has beyond a lowered limit stays, and nothing is added until there is room.
    """
    limits = body.model_dump(exclude_unset=True)
    return answer(
        _owner(commands.set_quotas(call.engine, call.principal, call.path["owner"], limits))
    )


def _owner(view: OwnerView) -> OwnerQuotasDocument:
    owner, quotas = view.owner, view.quotas
    return OwnerQuotasDocument(
        name=owner.name,
        limits=LimitsDocument(
            max_jobs=quotas.jobs, max_waiting=quotas.waiting, max_backfill=quotas.backfill
        ),
        own_limits=OwnLimitsDocument(
            max_jobs=owner.max_jobs,
            max_waiting=owner.max_waiting,
            max_backfill=owner.max_backfill,
        ),
        used=UseDocument(**view.used),
        **twins(created=owner.created_ms),
    )


@resource.route("GET", "/owners/{owner}/members", {200: MemberPage}, refusals=frozenset({403, 404}))
def list_members(call: Call) -> Response:
    """Who has which role in an owner."""
    rows = queries.members(call.engine, call.principal, call.path["owner"])
    items = [
        MemberDocument(principal=row.principal, owner=row.owner, role=row.role) for row in rows
    ]
    return answer(MemberPage(**listed(items)))


@resource.route(
    "PUT",
    "/owners/{owner}/members/{principal}",
    {200: MemberDocument},
    refusals=frozenset({403, 404}),
)
def set_member(call: Call, body: MemberBody) -> Response:
    """Give a principal a role in an owner."""
    member = commands.set_member(
        call.engine, call.principal, call.path["owner"], call.path["principal"], body.role
    )
    return answer(MemberDocument(principal=member.principal, owner=member.owner, role=member.role))


@resource.route(
    "DELETE",
    "/owners/{owner}/members/{principal}",
    {204: "none"},
    refusals=frozenset({403, 404}),
)
def remove_member(call: Call) -> Response:
    """Take a principal's role in an owner."""
    commands.remove_member(call.engine, call.principal, call.path["owner"], call.path["principal"])
    return Response(body="", headers={}, status_code=204)


@resource.route("POST", "/tokens", {201: TokenDocument}, located=False, refusals=frozenset({403}))
def create_token(call: Call, body: TokenBody, query: Query) -> Response:  # noqa: ARG001
    """A new token. It is shown this once."""
    token = commands.create_token(call.engine, call.principal, body.name, admin=body.admin)
    return answer(TokenDocument(principal=body.name, admin=body.admin, token=token), 201)
