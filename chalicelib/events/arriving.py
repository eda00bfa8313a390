"""Objects that S3 says were created: who waits for one is checked now, as ``POST /events/data`` does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.engine import commands
from chalicelib.model.errors import InvalidInput
from chalicelib.model.prerequisite import S3
from chalicelib.model.principal import Principal
from chalicelib.wiring import noonday

PATTERN: dict[str, Any] = {"source": ["aws.s3"], "detail-type": ["Object Created"]}
"""Of every bucket that sends its events to EventBridge: which ones do is the operator's to say, there."""

_S3 = Principal("aws.s3", admin=True)
"""A bucket is nobody's: whoever waits for the object is looked at, with what that owner may see."""


def data_arrival(event: Mapping[str, Any]) -> int:
    """How many instances are checked now. Keys come as they are: EventBridge does not encode them.

    Raises:
        Unavailable: the database cannot be asked; whoever invokes it tries again, and the checks go on.
    """
    try:
        detail = event["detail"]
        bucket, key = detail["bucket"]["name"], detail["object"]["key"]
        if not isinstance(bucket, str) or not isinstance(key, str):
            raise TypeError("it names no object")
        return commands.data_arrived(noonday().engine, _S3, [f"{S3}{bucket}/{key}"])
    except (LookupError, TypeError, InvalidInput) as error:
        noonday().log.line("error", "Unread", source="aws.s3", error=repr(error))
        return 0
