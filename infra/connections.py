"""Databases that ``sql`` targets and prerequisites name. One declaration of a stage gives the settings of the
functions, what their roles may do, and the way out of the network.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from chalicelib.aws import region_of
from infra.intrinsics import Value, attribute, sub

READERS = ("api", "work", "check")
"""Functions that know them: ``api`` refuses definitions of those that are not there."""
CONNECTING = frozenset({"work", "check"})
MOST_BYTES = 2_000
"""Of all their settings: Lambda's variables hold 4 KB in all."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_TAKEN = ("_password", "_secret", "_iam")
_RESOURCE_ID = re.compile(r"(db|cluster|prx)-[A-Za-z0-9]{8,40}")
_SECRET = re.compile(r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:\S+-[A-Za-z0-9]{6}")
_SECRET_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,500}")
ANYWHERE = "0.0.0.0/0"
_WEB = (80, 443)  # which every function reaches anyway


class Connection(BaseModel):
    """``iam``: the resource id of the database, cluster or proxy where its user authenticates by IAM.

    ``network``: where it is: a range of addresses, or a security group.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    secret: str | None = None
    iam: str | None = None
    network: str = ANYWHERE

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        """Not repeated where it may hold a password."""
        form = "write mysql://USER@HOST:3306/DATABASE"
        try:
            parts = urlsplit(url)
            carries, _ = parts.password is not None, parts.port
        except ValueError:
            raise ValueError(f"is no URL; {form}") from None
        if carries:
            raise ValueError(
                f"carries a password; keep it in Secrets Manager, name it in secret, and {form}"
            )
        if parts.scheme != "mysql" or not (parts.hostname and parts.username):
            raise ValueError(f"{url!r} names no user of a MySQL server; {form}")
        return url

    @field_validator("secret")
    @classmethod
    def _whole(cls, secret: str | None) -> str | None:
        form = _SECRET if secret and secret.startswith("arn:") else _SECRET_NAME
        if secret is not None and not form.fullmatch(secret):
            raise ValueError(
                f"{secret!r} is no secret; write its name, or its ARN with the six characters at the end"
            )
        return secret

    @field_validator("iam", mode="before")
    @classmethod
    def _identified(cls, found: object) -> object:
        if found is None or (isinstance(found, str) and _RESOURCE_ID.fullmatch(found)):
            return found
        raise ValueError(
            f"{found!r} is no resource id; write db-…, cluster-… or prx-…, as DbiResourceId of "
            "aws rds describe-db-instances says"
        )

    @field_validator("network")
    @classmethod
    def _place(cls, place: str) -> str:
        if re.fullmatch(r"sg-[0-9a-f]{8,17}", place):
            return place
        try:
            return str(ipaddress.IPv4Network(place))
        except ValueError:
            raise ValueError(
                f"{place!r} is neither a range of IPv4 addresses (10.0.0.0/16) nor a security group (sg-…)"
            ) from None

    @model_validator(mode="after")
    def _one_way_in(self) -> Connection:
        if (self.secret is None) == (self.iam is None):
            raise ValueError(
                "says not how its user authenticates: give one of secret (a secret with its password) and "
                "iam (the resource id of the database)"
            )
        if self.iam is not None and parse_qs(urlsplit(self.url).query).get("tls") == ["off"]:
            raise ValueError("tls=off: tokens of IAM travel over TLS only; leave it out")
        return self

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 3306

    @property
    def user_arn(self) -> Value:
        """Of the database's user, for IAM. It is in this account, and where its host says."""
        parts = urlsplit(self.url)
        region = region_of(parts.hostname or "") or "${AWS::Region}"
        user = unquote(parts.username or "")
        place = f"rds-db:{region}:${{AWS::AccountId}}:dbuser:{self.iam}/{user}"
        return sub(f"arn:${{AWS::Partition}}:{place}")

    @property
    def secret_arn(self) -> Value:
        """AWS ends the ARN of a secret with six characters of its own."""
        secret = str(self.secret)
        if secret.startswith("arn:"):
            return secret
        place = f"secretsmanager:${{AWS::Region}}:${{AWS::AccountId}}:secret:{secret}-??????"
        return sub(f"arn:${{AWS::Partition}}:{place}")


Connections = Mapping[str, Connection]


def checked(connections: Connections) -> None:
    """Raises ValueError for what no setting could say."""
    for name in connections:
        if not _NAME.fullmatch(name) or name.endswith(_TAKEN):
            raise ValueError(
                f"{name!r} is no name of a connection: a to z, 0 to 9 and _, a letter first, 31 at most, and "
                f"none of {', '.join(_TAKEN)} at its end"
            )
    size = sum(len(name) + len(value) for name, value in settings(connections).items())
    if size > MOST_BYTES:
        raise ValueError(
            f"they take {size} bytes, and functions have room for {MOST_BYTES}; shorten their names, or have "
            "another stage for some"
        )


def settings(connections: Connections) -> dict[str, str]:
    """As the functions read them."""
    given = {}
    for name, one in connections.items():
        setting = f"NOONDAY_CONNECTION_{name.upper()}"
        given[setting] = one.url
        if one.iam is not None:
            given[f"{setting}_IAM"] = "on"
        else:
            given[f"{setting}_SECRET"] = str(one.secret)
    return given


def statements(connections: Connections) -> Iterator[dict[str, Any]]:
    """For who connects: as exactly those users, with exactly those secrets."""
    users = [one.user_arn for one in connections.values() if one.iam is not None]
    secrets = [one.secret_arn for one in connections.values() if one.secret is not None]
    for sid, action, on in (
        ("ConnectAsNamedUsers", "rds-db:connect", users),
        ("PasswordsOfConnections", "secretsmanager:GetSecretValue", secrets),
    ):
        if on:
            unique = sorted({str(each): each for each in on}.items())
            resources = [each for _, each in unique]
            yield {"Sid": sid, "Effect": "Allow", "Action": [action], "Resource": resources}


def ways_out(connections: Connections) -> dict[str, Any]:
    """One rule for each port and place: EC2 refuses a second one that is the same."""
    places: Sequence[tuple[int, str]] = sorted(
        {(one.port, one.network) for one in connections.values()}
    )
    return {
        f"EgressTo{port}{re.sub('[^a-z0-9]', 'x', place)}": {
            "Type": "AWS::EC2::SecurityGroupEgress",
            "Properties": {
                "GroupId": attribute("FunctionsSecurityGroup", "GroupId"),
                "IpProtocol": "tcp",
                "FromPort": port,
                "ToPort": port,
                "DestinationSecurityGroupId" if place.startswith("sg-") else "CidrIp": place,
            },
        }
        for port, place in places
        if not (port in _WEB and place == ANYWHERE)
    }
