"""The kind ``redshift_data``: a statement through Redshift's Data API, under the run's token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, field_validator, model_validator

from chalicelib.aws import Caller
from chalicelib.engine.outcomes import Launched, Outcome, Succeeded
from chalicelib.engine.ports import LaunchRequest
from chalicelib.model.template import templated
from chalicelib.targets.aws_kind import AwsKind, AwsTarget, Name, Need, by_state, given

_WORKGROUP = "arn:aws:redshift-serverless:*:*:workgroup/{workgroup}"
_DATABASE = "arn:aws:redshift:*:*:dbname:{cluster}/{database}"
_USER = "arn:aws:redshift:*:*:dbuser:{cluster}/{user}"


class RedshiftDataTarget(AwsTarget):
    """One statement on a cluster or a serverless workgroup."""

    kind: Literal["redshift_data"]
    query: str = Field(
        min_length=1,
        max_length=100_000,
        description="One statement, without placeholders: `:name` for each of the parameters",
        examples=["CALL refresh_revenue(:day)"],
    )
    parameters: dict[str, str] = Field({}, description="Values for the `:name`s")
    database: Name = Field(description="The database", examples=["analytics"])
    cluster: Name | None = Field(None, description="Identifier of a provisioned cluster")
    workgroup: Name | None = Field(None, description="Name of a serverless workgroup")
    user: Name | None = Field(None, description="Database user of a cluster; by default IAM's own")
    secret: Name | None = Field(None, description="ARN of the secret with the user's password")

    @field_validator("query")
    @classmethod
    def _bound(cls, query: str) -> str:
        if templated(query):
            raise ValueError(
                "values are never text of a statement; write :name and give parameters"
            )
        return query

    @model_validator(mode="after")
    def _one_place(self) -> RedshiftDataTarget:
        if (self.cluster is None) == (self.workgroup is None):
            raise ValueError("name one of cluster and workgroup")
        return self

    @property
    def resources(self) -> Sequence[str]:
        """Who reads as whom is part of what is permitted."""
        identity = self.secret or self.user or "iam"
        return [f"{self.cluster or self.workgroup}/{self.database}/{identity}"]


class RedshiftDataKind(AwsKind[RedshiftDataTarget]):
    """The token is the ClientToken, and the statement's name, by which it is found."""

    name = "redshift_data"
    spec = RedshiftDataTarget
    needs = (
        Need("redshift-data:ExecuteStatement", "arn:aws:redshift:*:*:cluster:{cluster}"),
        Need("redshift-data:ExecuteStatement", _WORKGROUP),
        Need("redshift-data:ListStatements", "*"),
        Need("redshift-data:DescribeStatement", "*"),
        Need("redshift-data:CancelStatement", "*"),
        Need("redshift:GetClusterCredentials", _USER, "user", on_behalf=True),
        Need("redshift:GetClusterCredentials", _DATABASE, "user", on_behalf=True),
        Need("redshift:GetClusterCredentialsWithIAM", _DATABASE, "iam", on_behalf=True),
        Need("redshift-serverless:GetCredentials", _WORKGROUP, "iam", on_behalf=True),
        Need("secretsmanager:GetSecretValue", "{secret}", "secret", on_behalf=True),
    )

    def start(self, spec: RedshiftDataTarget, request: LaunchRequest, call: Caller) -> Outcome:
        values = [{"name": name, "value": value} for name, value in spec.parameters.items()]
        asked = given(
            Sql=spec.query,
            ClientToken=request.token,
            StatementName=request.token,
            Parameters=values,
            Database=spec.database,
            ClusterIdentifier=spec.cluster,
            WorkgroupName=spec.workgroup,
            DbUser=spec.user,
            SecretArn=spec.secret,
            WithEvent=True,
        )
        return self._launched(call("redshift-data", "ExecuteStatement", asked)["Id"])

    def find(
        self, spec: RedshiftDataTarget, request: LaunchRequest, call: Caller
    ) -> Launched | None:
        """Names are listed by their beginning: run 1 finds run 11 too."""
        del spec
        asked = {"StatementName": request.token, "RoleLevel": True, "MaxResults": 100}
        listed = call("redshift-data", "ListStatements", asked)["Statements"]
        mine = [one["Id"] for one in listed if one.get("StatementName") == request.token]
        return self._launched(mine[0]) if mine else None

    def look(self, spec: RedshiftDataTarget, external_id: str, call: Caller) -> Outcome:
        del spec
        found = call("redshift-data", "DescribeStatement", {"Id": external_id})
        return by_state(
            found["Status"],
            waiting=["SUBMITTED", "PICKED"],
            running=["STARTED"],
            succeeded=Succeeded,
            stopped=["ABORTED"],
            error=found.get("Error", ""),
        )

    def end(self, spec: RedshiftDataTarget, external_id: str, call: Caller) -> None:
        del spec
        call("redshift-data", "CancelStatement", {"Id": external_id})

    def _launched(self, statement_id: str) -> Launched:
        path = "redshiftv2/home?region={region}#/queries"
        return Launched(statement_id, self.console(path))
