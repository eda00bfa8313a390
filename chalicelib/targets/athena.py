"""The kind ``athena``: a query over data in S3, under the run's token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, field_validator

from chalicelib.aws import Caller
from chalicelib.engine.outcomes import Launched, Outcome, Succeeded
from chalicelib.engine.ports import LaunchRequest
from chalicelib.model.template import templated
from chalicelib.targets.aws_kind import AwsKind, AwsTarget, Name, Need, by_state, formed, given

_PLACE = formed(r"s3://[a-z0-9.-]{3,63}(/.*)?", "place in S3: s3://bucket/path/")


_TABLES = "the catalog, the databases and the tables of the query"
_READS = ("glue:GetDatabase", "glue:GetTable", "glue:GetPartition", "glue:GetPartitions")
_LOOKS = ("s3:GetBucketLocation", "s3:ListBucket")
_WRITES = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")


def _of_the_query(action: str, on: str) -> Need:
    return Need(action, on, on_behalf=True)


class AthenaTarget(AwsTarget):
    """One statement in a workgroup."""

    kind: Literal["athena"]
    query: str = Field(
        min_length=1,
        max_length=262_144,
        description="One statement, without placeholders: a ? for each of the parameters",
        examples=["SELECT country, sum(amount) FROM orders WHERE day = ? GROUP BY 1"],
    )
    parameters: list[str | int | float | bool] = Field(
        [], description="Values for the ?, in their order; strings become literals of SQL"
    )
    workgroup: Name = Field("primary", description="Name of the workgroup")
    database: str | None = Field(None, description="For tables that are named without one")
    catalog: str | None = Field(None, description="For databases that are named without one")
    result: Annotated[str, _PLACE] | None = Field(
        None,
        description="Where in S3 the result goes; the workgroup's place by default",
        examples=["s3://reports/revenue/"],
    )

    @field_validator("query")
    @classmethod
    def _bound(cls, query: str) -> str:
        if templated(query):
            raise ValueError("values are never text of a statement; write ? and give parameters")
        return query

    @property
    def resources(self) -> Sequence[str]:
        return [self.workgroup]


class AthenaKind(AwsKind[AthenaTarget]):
    """Athena answers a repeated token with the first query's id, so that another start finds it."""

    name = "athena"
    spec = AthenaTarget
    needs = (
        Need("athena:StartQueryExecution", "arn:aws:athena:*:*:workgroup/{workgroup}"),
        Need("athena:GetQueryExecution", "arn:aws:athena:*:*:workgroup/{workgroup}"),
        Need("athena:StopQueryExecution", "arn:aws:athena:*:*:workgroup/{workgroup}"),
        *(_of_the_query(name, _TABLES) for name in _READS),
        _of_the_query("athena:GetDataCatalog", "catalogs other than Glue's"),
        _of_the_query("lakeformation:GetDataAccess", "`*`, where Lake Formation governs the data"),
        _of_the_query("s3:GetObject", "the data, and the place of the results"),
        *(_of_the_query(name, "the buckets of both") for name in _LOOKS),
        *(_of_the_query(name, "the place of the results") for name in _WRITES),
        _of_the_query("s3:ListBucketMultipartUploads", "the bucket of the results"),
    )

    def start(self, spec: AthenaTarget, request: LaunchRequest, call: Caller) -> Outcome:
        asked = given(
            QueryString=spec.query,
            ClientRequestToken=request.token,
            WorkGroup=spec.workgroup,
            ExecutionParameters=[_literal(value) for value in spec.parameters],
            QueryExecutionContext=given(Database=spec.database, Catalog=spec.catalog),
            ResultConfiguration=given(OutputLocation=spec.result),
        )
        return self._launched(call("athena", "StartQueryExecution", asked)["QueryExecutionId"])

    def find(self, spec: AthenaTarget, request: LaunchRequest, call: Caller) -> Launched | None:
        """Athena cannot be searched by token. What had not begun begins now, and is ended if need be."""
        found = self.start(spec, request, call)
        return found if isinstance(found, Launched) else None

    def look(self, spec: AthenaTarget, external_id: str, call: Caller) -> Outcome:
        del spec
        answer = call("athena", "GetQueryExecution", {"QueryExecutionId": external_id})
        found = answer["QueryExecution"]
        place = found.get("ResultConfiguration", {}).get("OutputLocation")
        return by_state(
            found["Status"]["State"],
            waiting=["QUEUED"],
            running=["RUNNING"],
            succeeded=lambda: Succeeded(result_path=place),
            stopped=["CANCELLED"],
            error=found["Status"].get("StateChangeReason", ""),
        )

    def end(self, spec: AthenaTarget, external_id: str, call: Caller) -> None:
        del spec
        call("athena", "StopQueryExecution", {"QueryExecutionId": external_id})

    def _launched(self, query_id: str) -> Launched:
        path = f"athena/home?region={{region}}#/query-editor/history/{query_id}"
        return Launched(query_id, self.console(path))


def _literal(value: str | float) -> str:
    """Athena reads parameters as SQL: a string has its quotes doubled."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)
