"""Requests signed as AWS's Signature Version 4 wants it, with whatever credentials AWS's own tools would use.

botocore is loaded by the first request that is signed, and not otherwise: it takes longer than all the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cli.errors import Failure, Misused

SERVICE = "execute-api"
_UNSIGNED = frozenset({"accept", "user-agent"})
"""What proxies on the way may change."""
INSTALL = "pip install 'noonday[cli,aws]'"
LOOK_SECONDS = 3  # asking who one is must not make a refusal slow


class Signer:
    """Signs for one API. ``region`` None: as AWS's configuration says. ``profile``: of AWS's, None: its own
    choice (AWS_PROFILE, environment, role of the machine)."""

    def __init__(self, region: str | None, profile: str | None) -> None:
        self._region = region
        self._profile = profile
        self._made: Any = None
        self._found: Any = None

    def headers(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> dict[str, str]:
        """The headers with a signature that holds for five minutes. Credentials that end are renewed where
        AWS's configuration knows how.

        Raises:
            Failure: botocore, credentials or the region are missing, or credentials cannot be renewed.
        """
        session = self._session()
        from botocore.auth import SigV4Auth  # noqa: PLC0415 - as the module says
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415

        region = self._region or session.get_config_variable("region")
        if not region:
            raise Misused(
                "the region of the API is not known from its address",
                hint="noonday config set region eu-central-1, or whichever it is in",
            )
        signed = {name: value for name, value in headers.items() if name.lower() not in _UNSIGNED}
        request = AWSRequest(method, url, signed, body)
        try:
            keys = self._credentials().get_frozen_credentials()
            SigV4Auth(keys, SERVICE, region).add_auth(request)
        except BotoCoreError as error:
            raise self._unusable(error) from error
        return {**headers, **dict(request.headers.items())}

    def caller(self) -> str | None:
        """The ARN by which AWS knows these credentials; None when it does not say so within seconds."""
        try:
            from botocore.config import Config  # noqa: PLC0415 - as the module says

            config = Config(
                connect_timeout=LOOK_SECONDS,
                read_timeout=LOOK_SECONDS,
                retries={"total_max_attempts": 1},
            )
            session = self._session()
            region = self._region or session.get_config_variable("region")
            sts = session.create_client("sts", region_name=region, config=config)
            arn = sts.get_caller_identity().get("Arn")
        except Exception:  # noqa: BLE001 - it only adds to what is said anyway
            return None
        return arn if isinstance(arn, str) else None

    def _session(self) -> Any:
        if self._made is None:
            try:
                from botocore.session import Session  # noqa: PLC0415 - as the module says
            except ImportError:
                raise Failure(
                    "this server wants requests signed for AWS, and botocore is not installed here",
                    hint=INSTALL,
                ) from None
            self._made = Session(profile=self._profile)
        return self._made

    def _credentials(self) -> Any:
        """Looked for once; a file that cannot be read, or a profile that is not there, raises."""
        if self._found is None:
            self._found = self._session().get_credentials()
        if self._found is None:
            who = f"the AWS profile {self._profile!r} has none" if self._profile else "found none"
            raise Failure(
                f"credentials of AWS are needed to sign requests: {who}",
                hint="aws configure or aws sso login makes some; or set AWS_PROFILE, or AWS_ACCESS_KEY_ID",
            )
        return self._found

    def _unusable(self, error: Exception) -> Failure:
        kind = type(error).__name__
        if kind == "ProfileNotFound":
            return Misused(str(error), hint="noonday config set aws-profile NAME chooses another")
        if "SSO" in kind or "Token" in kind or "Login" in kind:
            chosen = f" --profile {self._profile}" if self._profile else ""
            return Failure(f"the sign-in to AWS has ended: {error}", hint=f"aws sso login{chosen}")
        return Failure(
            f"credentials of AWS cannot be had: {error}",
            hint="aws sts get-caller-identity tries them",
        )
