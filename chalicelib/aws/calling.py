"""Calls to AWS: clients made at their first use, short time-outs, no repetition behind anybody's back.

A repetition that the client makes by itself could start a run twice where the service takes no token. The
engine repeats, and looks first.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from chalicelib.aws.direct import CONNECT_S, OPERATIONS, READ_S, DirectCalls
from chalicelib.aws.failures import AwsFailure, NotTaken, Rejected, failure_of

RENEW_MS = 300_000  # keys of a role are renewed five minutes before they end

_REGION = r"[a-z]{2}(?:-[a-z]+)+-[0-9]"
_NAMES_ITS_REGION = (
    re.compile(rf"arn:[^:]+:[^:]+:({_REGION}):.*", re.DOTALL),
    re.compile(rf"https://sqs\.({_REGION})\..*", re.DOTALL),
    re.compile(rf".*\.({_REGION})\.rds\.amazonaws\.com(?:\.cn)?\.?", re.IGNORECASE),
)


def region_of(place: str) -> str | None:
    """The region that an ARN, the URL of a queue or a host of RDS names; None for what names none.

    Services answer in the region of their resource alone: another one says that there is no such thing.
    """
    found = (form.fullmatch(place) for form in _NAMES_ITS_REGION)
    return next((match[1].lower() for match in found if match), None)


class Caller(Protocol):
    """Who calls: whatever stands behind it chose region and identity."""

    def __call__(
        self, service: str, operation: str, parameters: Mapping[str, Any], /
    ) -> Mapping[str, Any]:
        """Raises NotTaken, Rejected or LostAnswer."""
        ...


@dataclass(frozen=True, slots=True)
class _Keys:
    """Credentials of a role, until then (UTC milliseconds)."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False)
    ends_ms: int


class Aws:
    """Every client of this process. ``region``: None leaves it to AWS's own configuration.

    ``direct``: makes the calls it can make as this process itself; botocore makes all others.
    """

    def __init__(
        self, region: str | None, now_ms: Callable[[], int], direct: DirectCalls | None = None
    ) -> None:
        self.region = region
        self._now_ms = now_ms
        self._direct = direct
        self._session: Any = None
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str, float, str | None], Any] = {}
        self._roles: dict[tuple[str, str], _Keys] = {}

    def caller(
        self,
        role: str | None,
        owner: str,
        *,
        read_s: float = READ_S,
        region: str | None = None,
    ) -> Caller:
        """Calls in that role, in a session named for the owner; None: as this process itself.

        ``read_s``: how long an answer may take. ``region``: None: this process's own.
        """

        def call(
            service: str, operation: str, parameters: Mapping[str, Any], /
        ) -> Mapping[str, Any]:
            keys = self._keys(role, owner) if role else None
            try:
                return self._ask(service, operation, parameters, keys, read_s, region)
            except NotTaken as error:
                if role and "Expired" in error.code:
                    self._forget(role, owner)
                raise

        return call

    def database_token(self, host: str, port: int, user: str) -> str:
        """What a user of RDS has as its password for fifteen minutes, where IAM vouches; signed here."""
        region = region_of(host) or self.region
        if self._direct is not None:
            return self._direct.database_token(
                region or self._direct.region, f"{host}:{port}", user
            )
        client = self._client("rds", None, READ_S, region)
        try:
            token: str = client.generate_db_auth_token(
                DBHostname=host, Port=port, DBUsername=user, Region=region
            )
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            raise failure from error
        return token

    def _ask(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        keys: _Keys | None,
        read_s: float,
        region: str | None = None,
    ) -> Mapping[str, Any]:
        """One request; whatever botocore raises is told as what it means."""
        if (
            self._direct is not None
            and keys is None
            and region in (None, self._direct.region)
            and (service, operation) in OPERATIONS
        ):
            return self._direct(service, operation, parameters)
        try:
            client = self._client(service, keys, read_s, region)
            method = _method(client, service, operation)
            answer: Mapping[str, Any] = method(**parameters)
        except AwsFailure:
            raise
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            raise failure from error
        return answer

    def _client(
        self, service: str, keys: _Keys | None, read_s: float, region: str | None = None
    ) -> Any:
        """Making a client is not safe for threads, and costs some 80 ms; using one is safe."""
        region = region or self.region
        key = (service, keys.access_key if keys else "", read_s, region)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._new_client(service, keys, read_s, region)
            return self._clients[key]

    def _new_client(
        self, service: str, keys: _Keys | None, read_s: float, region: str | None
    ) -> Any:
        try:
            from botocore.config import Config  # noqa: PLC0415 - 200 ms and 30 MB, only where used
            from botocore.session import Session  # noqa: PLC0415 - what boto3 adds is not used
        except ImportError:
            raise Rejected(
                "NoBoto3", "boto3 is not installed here: pip install 'noonday[aws]'"
            ) from None
        own = {
            "aws_access_key_id": keys.access_key,
            "aws_secret_access_key": keys.secret_key,
            "aws_session_token": keys.session_token,
        } if keys else {}  # fmt: skip
        config = Config(
            connect_timeout=CONNECT_S,
            read_timeout=read_s,
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=16,
            user_agent_extra="noonday",
        )
        if self._session is None:  # what one client reads of its files, the next one finds read
            self._session = Session()
        return self._session.create_client(service, region_name=region, config=config, **own)

    def _keys(self, role: str, owner: str) -> _Keys:
        """Keys of the role, from AWS once an hour."""
        name = (role, owner)
        held = self._roles.get(name)
        if held is not None and held.ends_ms - RENEW_MS > self._now_ms():
            return held
        session = f"noonday-{owner}"[:64]
        asked = {"RoleArn": role, "RoleSessionName": session}
        answer = self._ask("sts", "AssumeRole", asked, None, READ_S)["Credentials"]
        fresh = _Keys(
            access_key=answer["AccessKeyId"],
            secret_key=answer["SecretAccessKey"],
            session_token=answer["SessionToken"],
            ends_ms=int(answer["Expiration"].timestamp() * 1000),
        )
        with self._lock:
            if held is not None:  # clients of the keys before it are of no use any more
                used = [key for key in self._clients if key[1] == held.access_key]
                for key in used:
                    del self._clients[key]
            self._roles[name] = fresh
        return fresh

    def _forget(self, role: str, owner: str) -> None:
        with self._lock:
            self._roles.pop((role, owner), None)


def _method(client: Any, service: str, operation: str) -> Callable[..., Mapping[str, Any]]:
    """The client's method of an operation as AWS writes it: StartExecution."""
    for name, api_name in client.meta.method_to_api_mapping.items():
        if api_name == operation:
            found: Callable[..., Mapping[str, Any]] = getattr(client, name)
            return found
    raise Rejected("UnknownOperation", f"{service} has no operation {operation!r}")
