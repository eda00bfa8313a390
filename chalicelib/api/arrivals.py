"""Data events: somebody says that data has arrived."""

from __future__ import annotations

from typing import Annotated

from chalice.app import Response
from pydantic import Field, model_validator

from chalicelib.api.call import Call
from chalicelib.api.documents import Answer
from chalicelib.api.rendering import answer
from chalicelib.api.requests import Query
from chalicelib.api.resource import Resource
from chalicelib.engine import commands
from chalicelib.model.document import Document

resource = Resource(__name__, "data")
MOST = 100
Path = Annotated[str, Field(min_length=1, max_length=2000)]


class ArrivalBody(Document, defer_build=True):
    """What has arrived: ``path``, or ``paths``."""

    path: Path | None = Field(
        None,
        description="A file under the files' root, or an object of S3",
        examples=["orders/2026/11/23/_SUCCESS", "s3://orders/2026/11/23/_SUCCESS"],
    )
    paths: list[Path] = Field([], max_length=MOST, description="Or several of them")

    @model_validator(mode="after")
    def _something(self) -> ArrivalBody:
        if (self.path is None) == (not self.paths):
            raise ValueError("needs either path or paths")
        return self


class ArrivalDocument(Answer):
    woken: int = Field(description="So many instances that wait for it are checked now")


@resource.route("POST", "/events/data", {202: ArrivalDocument}, refusals=frozenset({403, 404, 409}))
def data_arrived(call: Call, body: ArrivalBody, query: Query) -> Response:  # noqa: ARG001
    """Say that data has arrived: who waits for it, for a prefix above it or for a glob is checked now.

    It is a hint and no proof: what is there is looked at. Repeating it, or saying it too early, does no harm.
    """
    paths = [body.path] if body.path is not None else body.paths
    woken = commands.data_arrived(call.engine, call.principal, paths, owner=call.owner)
    return answer(ArrivalDocument(woken=woken), 202)
