"""Objects and prefixes of S3. Which owner may look into which bucket, in whose role, the operator says."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from chalicelib.aws import Aws, LostAnswer, NotTaken, Rejected
from chalicelib.engine.conditions import Condition, Found
from chalicelib.engine.ports import Clock
from chalicelib.model.errors import Problem
from chalicelib.model.prerequisite import S3, Prerequisite
from chalicelib.model.template import templated
from chalicelib.targets.aws_kind import Need
from chalicelib.targets.configuration import TargetSettings

KIND = "s3"
READ_S = 5.0
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_DENIED = frozenset({"403", "AccessDenied"})


class S3Probe:
    """Reaches the buckets that the operator's entries of the kind ``s3`` name, and no others."""

    name = "s3"
    needs = (
        Need("s3:GetObject", "arn:aws:s3:::{bucket}/*"),
        Need("s3:ListBucket", "arn:aws:s3:::{bucket}"),
    )

    def __init__(self, settings: TargetSettings, clock: Clock) -> None:
        self._aws = Aws(settings.aws_region, clock.now_ms)
        self._allow = settings.allow

    def problems(
        self,
        prerequisite: Prerequisite,
        parameters: Collection[str],  # noqa: ARG002 - templates have been checked
        owner: str,
    ) -> Iterator[Problem]:
        complaint = self._complaint(prerequisite.data or "", owner)
        if complaint:
            yield Problem("data", complaint, prerequisite.data)

    def check(self, condition: Condition, seconds: float) -> Found:  # noqa: ARG002 - boto3's are set
        complaint = self._complaint(condition.what, condition.owner)
        if complaint:
            return Found(met=False, what=complaint)
        bucket, _, key = condition.what.removeprefix(S3).partition("/")
        try:
            if key and not key.endswith("/"):
                return self._object(condition.owner, bucket, key)
            return self._prefix(condition.owner, bucket, key)
        except Rejected as error:
            return Found(met=False, what=_explained(error, bucket))
        except LostAnswer as error:
            raise TimeoutError(f"S3 gave no answer: {error}") from error
        except NotTaken as error:
            return Found(met=False, what=f"S3 does not answer now: {error}")

    def _object(self, owner: str, bucket: str, key: str) -> Found:
        try:
            answer = self._ask(owner, bucket, "HeadObject", {"Key": key})
        except Rejected as error:
            if error.code in _ABSENT:
                return Found(met=False, what="there is no such object")
            raise
        return Found(met=True, what=f"an object of {answer['ContentLength']} bytes")

    def _prefix(self, owner: str, bucket: str, prefix: str) -> Found:
        """Two keys at most: the first may be the empty object by which consoles show a folder."""
        answer = self._ask(owner, bucket, "ListObjectsV2", {"Prefix": prefix, "MaxKeys": 2})
        keys = [str(one["Key"]) for one in answer.get("Contents", ())]
        first = next((key for key in keys if key != prefix), None)
        if first is None:
            return Found(met=False, what="nothing is below it")
        return Found(met=True, what=f"{S3}{bucket}/{first} is there")

    def _ask(
        self, owner: str, bucket: str, operation: str, more: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        permission = self._allow.find(owner, KIND, bucket)
        role = permission.role if permission is not None else None
        call = self._aws.caller(role, owner, read_s=READ_S)
        return call("s3", operation, {"Bucket": bucket, **more})

    def _complaint(self, url: str, owner: str) -> str | None:
        bucket, slash, key = url.removeprefix(S3).partition("/")
        if templated(bucket):
            return None
        if not _BUCKET.fullmatch(bucket) or not slash:
            return "is no place in S3; write s3://bucket/key, or s3://bucket/prefix/"
        if re.search(r"[*?]", key):
            return "holds a wildcard, which S3 has not; end a prefix with / to wait for anything below it"
        if self._allow.find(owner, KIND, bucket) is None:
            entry = json.dumps({"owner": owner, "kind": KIND, "resource": bucket})
            return (
                f"nothing permits {owner} to look into the bucket {bucket}; whoever operates Noonday"
                f" does so with an entry in NOONDAY_TARGETS_ALLOW: {entry}"
            )
        return None


def _explained(error: Rejected, bucket: str) -> str:
    if error.code == "NoSuchBucket":
        return f"there is no bucket {bucket}"
    if error.code in _DENIED:
        return "access is denied; it takes s3:GetObject and s3:ListBucket"
    return f"S3 refuses: {error}"
