"""A stage: one installation of Noonday in one account and region, as ``infra/stages/STAGE.yaml`` says."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from chalicelib.settings import BadSetting, PermittedTarget, permitted, read_settings
from infra import connections
from infra.athena_data import Athena
from infra.connections import Connection
from infra.problems import Stuck

STAGES = Path(__file__).with_name("stages")
NAME = re.compile(r"[a-z][a-z0-9]{0,15}")
SUBNET = r"subnet-[0-9a-f]{8,17}"
KEY = r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$"

GENERATED = frozenset(
    {
        *("NOONDAY_AUTH", "NOONDAY_STAGE", "NOONDAY_QUEUES", "NOONDAY_DATABASE"),
        *("NOONDAY_DATABASE_SECRET", "NOONDAY_DATABASE_PASSWORD", "NOONDAY_DATABASE_IAM"),
        *("NOONDAY_TARGETS_ALLOW", "NOONDAY_COGNITO_POOL", "NOONDAY_ADMINS", "NOONDAY_PROCESS"),
        *("NOONDAY_WEBHOOK_SECRETS", "NOONDAY_TOKEN", "NOONDAY_DATABASE_POOL"),
    }
)
"""Settings that the stack itself has, or that other fields of the file give."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Network(_Part):
    """An existing VPC; without it one is made, with two zones."""

    vpc: Annotated[str, Field(pattern=r"vpc-[0-9a-f]{8,17}")]
    subnets: Annotated[list[Annotated[str, Field(pattern=SUBNET)]], Field(min_length=2)]
    route_tables: list[Annotated[str, Field(pattern=r"rtb-[0-9a-f]{8,17}")]] = []


class Database(_Part):
    """The instance of RDS. ``iam``: the functions have no password, and sign tokens of IAM instead."""

    instance: Annotated[str, Field(pattern=r"db\.[a-z0-9]+\.[a-z0-9]+")] = "db.t4g.small"
    storage_gb: Annotated[int, Field(ge=20, le=16_384)] = 20
    standby: bool = False
    backup_days: Annotated[int, Field(ge=1, le=35)] = 7
    deletion_protection: bool = True
    proxy: bool = False
    iam: bool = False

    @model_validator(mode="after")
    def _one_way_in(self) -> Database:
        if self.iam and self.proxy:
            raise ValueError(
                "iam and proxy exclude each other: RDS Proxy knows the database's user by its password; "
                "leave one of them out"
            )
        return self


class Stage(_Part):
    """All that an operator decides. Every field has a default but the name, which is the file's."""

    name: str
    region: Annotated[str, Field(pattern=r"[a-z]{2}(-[a-z]+)+-\d")] | None = None
    auth: Literal["iam", "cognito"] = "iam"
    admins: list[str] = []
    cognito_pool: Annotated[str, Field(pattern=r"arn:aws[a-z-]*:cognito-idp:.+")] | None = None
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    network: Network | None = None
    egress: Literal["nat", "endpoints", "existing"] = "nat"
    database: Database = Database()
    targets_allow: list[dict[str, str]] = []
    connections: dict[str, Connection] = {}
    athena: Athena | None = None
    redshift_workgroups: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]] = {}
    keys: list[Annotated[str, Field(pattern=KEY)]] = []
    pass_roles: list[Annotated[str, Field(pattern=r"arn:aws[a-z-]*:iam::\d{12}:role/.+")]] = []
    permissions: list[dict[str, Any]] = []
    webhook_secret: str | None = None
    settings: dict[str, str] = {}
    reserve_concurrency: bool = True
    concurrency: dict[str, Annotated[int, Field(ge=2, le=1000)]] = {}
    log_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731] = 30
    alarms_to: Annotated[str, Field(pattern=r"[^@\s]+@[^@\s]+")] | None = None

    @field_validator("name")
    @classmethod
    def _short(cls, name: str) -> str:
        if not NAME.fullmatch(name):
            raise ValueError("a stage is named by a to z and 0 to 9, 16 at most, a letter first")
        return name

    @field_validator("connections")
    @classmethod
    def _declared(cls, found: dict[str, Connection]) -> dict[str, Connection]:
        connections.checked(found)
        return found

    @field_validator("permissions")
    @classmethod
    def _narrow(cls, statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for one in statements:
            actions = one.get("Action")
            named = [actions] if isinstance(actions, str) else actions
            if not isinstance(named, list) or not named or one.get("Effect") != "Allow":
                raise ValueError("each is an IAM statement with Effect: Allow, Action and Resource")
            if any("*" in str(action) for action in named):
                raise ValueError(f"{named} has a wildcard; name the actions")
            if not one.get("Resource"):
                raise ValueError(f"{named} is on nothing; name the Resource")
        return statements

    @model_validator(mode="after")
    def _fits_together(self) -> Stage:
        if self.network is None and self.egress == "existing":
            raise ValueError("egress: existing needs network: the VPC whose ways out are used")
        if self.network is not None and self.egress == "nat":
            raise ValueError("in a network that exists, egress is endpoints or existing")
        if self.cognito_pool and self.auth != "cognito":
            raise ValueError("cognito_pool is given, and auth is not cognito")
        taken = sorted(GENERATED.intersection(self.settings))
        if taken:
            raise ValueError(f"settings: {', '.join(taken)} comes from the stack or another field")
        named = sorted(name for name in self.settings if name.startswith("NOONDAY_CONNECTION_"))
        if named:
            raise ValueError(
                f"settings: {named[0]} would have neither permission nor a way there; declare it under "
                "connections"
            )
        try:
            list(self.allowed)
            given = {**self.settings, **self._admins(), **connections.settings(self.connections)}
            read_settings({"NOONDAY_AUTH": self.auth, **given})
        except BadSetting as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def prefix(self) -> str:
        """What the names of all that belongs to the stage begin with."""
        return f"noonday-{self.name}"

    @property
    def allowed(self) -> list[PermittedTarget]:
        return list(permitted(json.dumps(self.targets_allow)))

    def _admins(self) -> dict[str, str]:
        return {"NOONDAY_ADMINS": ",".join(self.admins)}

    @property
    def environment(self) -> dict[str, str]:
        """What is known before the stack is made."""
        return {
            "NOONDAY_STAGE": self.name,
            "NOONDAY_AUTH": self.auth,
            **self._admins(),
            **self.settings,
        }


def the_stage(arguments: Sequence[str]) -> str:
    """The one argument of the commands here.

    Raises:
        Stuck: it is missing, or there are more.
    """
    match arguments:
        case [name] if not name.startswith("-"):
            return name
    raise Stuck("one argument is needed, the name of a stage: make deploy STAGE=dev")


def read_stage(name: str, folder: Path = STAGES) -> Stage:
    """The stage's file, checked.

    Raises:
        Stuck: there is none, or something in it is wrong.
    """
    if not NAME.fullmatch(name):
        raise Stuck(
            f"STAGE={name}: a stage is named by a to z and 0 to 9, a letter first: STAGE=dev"
        )
    path = folder / f"{name}.yaml"
    if not path.is_file():
        there = ", ".join(sorted(each.stem for each in folder.glob("*.yaml"))) or "none"
        raise Stuck(
            f"{_shown(path)} does not exist; copy one of {there}, and say what is different"
        )
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise Stuck(f"{_shown(path)} is no YAML: {error}") from None
    if document is not None and not isinstance(document, dict):
        raise Stuck(f"{_shown(path)} is no mapping of fields")
    try:
        return Stage(**{**(document or {}), "name": name})
    except ValidationError as error:
        said = [
            f"{'.'.join(map(str, one['loc'])) or 'stage'}: {one['msg']}" for one in error.errors()
        ]
        raise Stuck(f"{_shown(path)}: " + "; ".join(said)) from None


def _shown(path: Path) -> str:
    return "/".join(path.parts[-3:])
