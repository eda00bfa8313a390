"""What Athena does for a query in the name of who started it: read tables and data, write results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PLACE = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^\x00-\x1f]{1,900}"
Place = Annotated[str, Field(pattern=f"^{PLACE}$")]
Table = Annotated[str, Field(pattern=r"^[^\s/]{1,255}/[^\s/]{1,255}$")]


class Athena(BaseModel):
    """``data``, ``results``: BUCKET/KEY. ``tables``: DATABASE/TABLE. In them ``*`` stands for any text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tables: list[Table] = []
    data: list[Place] = []
    results: list[Place] = []
    catalogs: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_@-]{1,256}$")]] = []
    lake_formation: bool = False


READS_TABLES = ("glue:GetDatabase", "glue:GetTable", "glue:GetPartition", "glue:GetPartitions")
READS_DATA = ("s3:GetObject",)
LOOKS_INTO = ("s3:GetBucketLocation", "s3:ListBucket")
WRITES = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
WRITES_INTO = ("s3:ListBucketMultipartUploads",)


def grants(athena: Athena | None) -> Iterator[tuple[str, str]]:
    """Action and resource."""
    if athena is None:
        return
    here = "${AWS::Region}:${AWS::AccountId}"
    yield from _each(READS_TABLES, _catalog(athena.tables))
    yield from _each(READS_DATA, [_object(one) for one in (*athena.data, *athena.results)])
    yield from _each(LOOKS_INTO, _buckets([*athena.data, *athena.results]))
    yield from _each(WRITES, [_object(one) for one in athena.results])
    yield from _each(WRITES_INTO, _buckets(athena.results))
    catalogs = [f"arn:${{AWS::Partition}}:athena:{here}:datacatalog/{c}" for c in athena.catalogs]
    yield from _each(("athena:GetDataCatalog",), catalogs)
    if athena.lake_formation:
        yield "lakeformation:GetDataAccess", "*"


def _each(actions: Sequence[str], on: Sequence[str]) -> Iterator[tuple[str, str]]:
    return ((action, one) for action in actions for one in on)


def _catalog(tables: Sequence[str]) -> list[str]:
    """A table, its database, and the catalogue: Glue asks for all three."""
    glue = "arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:"
    databases = {one.partition("/")[0] for one in tables}
    found = [f"{glue}database/{one}" for one in databases] + [
        f"{glue}table/{one}" for one in tables
    ]
    return [f"{glue}catalog", *found] if found else []


def _object(place: str) -> str:
    return f"arn:${{AWS::Partition}}:s3:::{place}"


def _buckets(places: Sequence[str]) -> list[str]:
    return sorted({_object(one.partition("/")[0]) for one in places})
