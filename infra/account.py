"""The account and the region in which a stage is, seen through its clients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)

from infra.problems import Stuck
from infra.stage import Stage

PATIENT = Config(read_timeout=920, tcp_keepalive=True, retries={"total_max_attempts": 1})
"""A migration may take as long as a function may, and is not to be begun again meanwhile."""


@dataclass(frozen=True, slots=True)
class Account:
    """``id``: its number. ``who``: the ARN of whoever deploys."""

    id: str
    region: str
    who: str
    session: Any

    def call(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """One call.

        Raises:
            Stuck: AWS refused it, or cannot be reached; with what to do where that is known.
            ClientError: of the codes that callers look for themselves: see ``refused``.
        """
        patient = PATIENT if operation == "invoke" else None
        client = self.session.client(service, region_name=self.region, config=patient)
        try:
            answer: Mapping[str, Any] = getattr(client, operation)(**parameters)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if "AccessDenied" in code or "Unauthorized" in code:
                raise Stuck(
                    f"{self.who} may not call {service}:{operation}: docs/deploying.md lists what whoever "
                    f"deploys needs ({error.response['Error'].get('Message', code)})"
                ) from error
            if "Expired" in code:
                raise Stuck("your credentials have expired; log in again") from error
            raise
        except BotoCoreError as error:
            raise Stuck(f"AWS cannot be reached: {error}") from error
        return answer


def reached(stage: Stage) -> Account:
    """Who deploys, and where.

    Raises:
        Stuck: no credentials, no region, or another region than the stage's.
    """
    try:
        session = boto3.Session()
        region = stage.region or session.region_name
        if not region:
            raise Stuck("no region: set AWS_REGION, or region in the stage's file")
        if session.region_name and stage.region and session.region_name != stage.region:
            raise Stuck(
                f"stage {stage.name} is in {stage.region}, and AWS_REGION says {session.region_name}: "
                f"set AWS_REGION={stage.region}, or leave it out"
            )
        found = session.client("sts", region_name=region).get_caller_identity()
    except (NoCredentialsError, PartialCredentialsError):
        raise Stuck(
            "no credentials: log in (aws sso login), name a profile (AWS_PROFILE), or set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ) from None
    except (ProfileNotFound, NoRegionError) as error:
        raise Stuck(str(error)) from None
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise Stuck(f"your credentials are refused ({code}); log in again") from None
    except BotoCoreError as error:
        raise Stuck(f"AWS cannot be reached: {error}") from None
    return Account(found["Account"], region, found["Arn"], session)


def refused(error: ClientError, *codes: str) -> bool:
    return error.response["Error"]["Code"] in codes
