"""Results in S3: one object for each run, which is there as a whole or not at all.

The key carries the run's token. So a repetition of the run writes over its own object and no other one, and a
run that comes later leaves it alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath

from chalicelib.aws import Aws, AwsFailure, Rejected
from chalicelib.engine.ports import Control, LaunchRequest
from chalicelib.model.prerequisite import S3
from chalicelib.targets.allowance import Allowance
from chalicelib.targets.aws_kind import Need, quoted
from chalicelib.targets.s3_upload import MOST_PARTS, PART, TooLarge, Upload
from chalicelib.targets.s3_upload import Stopped as UploadStopped
from chalicelib.targets.sql_session import SqlFailure

KIND = "s3_results"
READ_S = 120.0
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_KEY = re.compile(r"[^\x00-\x1f]{1,900}")
_TYPES = {".csv": "text/csv; charset=utf-8"}


class S3Results:
    """Writes where the operator's entries of the kind ``s3_results`` permit it: ``BUCKET/KEY``."""

    name = KIND
    needs = tuple(
        Need(action, "arn:aws:s3:::{bucket}/{key}")
        for action in ("s3:PutObject", "s3:AbortMultipartUpload")
    )

    def __init__(self, aws: Aws, allow: Allowance) -> None:
        self._aws = aws
        self._allow = allow

    @contextmanager
    def drafting(self, url: str, request: LaunchRequest, control: Control) -> Iterator[S3Draft]:
        """A draft of the object. Left without its end, it is thrown away.

        Raises:
            SqlFailure: nothing permits it, or it is not written.
        """
        where = keyed(url, request.token)
        bucket, _, key = where.removeprefix(S3).partition("/")
        entry = self._allow.find(request.owner, KIND, f"{bucket}/{key}")
        if entry is None:
            complaint = complaint_of(where, request.owner, self._allow)
            raise SqlFailure(str(complaint), retry=False)
        call = self._aws.caller(entry.role, request.owner, read_s=READ_S)
        kind = _TYPES.get(PurePosixPath(key).suffix, "application/x-ndjson")
        upload = Upload(call, {"Bucket": bucket, "Key": key}, kind, control.wait)
        try:
            yield S3Draft(upload, where)
        except AwsFailure as failure:
            retry = not isinstance(failure, Rejected)
            raise SqlFailure(f"the result is not in {where}: {failure}", retry=retry) from failure
        except TooLarge:
            most = f"{PART * MOST_PARTS:,} bytes"
            raise SqlFailure(
                f"the result has more than {most}; write several", retry=False
            ) from None
        except UploadStopped:
            raise SqlFailure("stopped") from None
        finally:
            upload.give_up()

    def link(self, url: str) -> str | None:
        """The object's page of the console."""
        bucket, _, key = url.removeprefix(S3).partition("/")
        region = self._aws.region
        if region is None:
            return None
        path = f"s3/object/{bucket}?prefix={quoted(key)}"
        return f"https://{region}.console.aws.amazon.com/{path}"


@dataclass(frozen=True, slots=True)
class S3Draft:
    """What is not yet in S3."""

    file: Upload
    url: str

    def finish(self) -> None:
        """Write the object. Before the database's commit: what is committed has its result."""
        self.file.finish()


def keyed(url: str, token: str) -> str:
    """The run's object: ``revenue.csv`` becomes ``revenue-TOKEN.csv``, unless the token is in the key."""
    if token in url:
        return url
    folder, slash, name = url.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    return f"{folder}{slash}{stem}-{token}{dot}{suffix}" if dot else f"{url}-{token}"


def complaint_of(url: str, owner: str | None, allow: Allowance) -> str | None:
    """Why the owner's results cannot be there. ``owner`` None: whoever it is."""
    bucket, _, key = url.removeprefix(S3).partition("/")
    if not _BUCKET.fullmatch(bucket) or not _KEY.fullmatch(key) or key.endswith("/"):
        return f"{url!r} is no object of S3; write s3://bucket/reports/x.csv"
    if owner is None or allow.find(owner, KIND, f"{bucket}/{key}"):
        return None
    entry = json.dumps({"owner": owner, "kind": KIND, "resource": f"{bucket}/*"})
    return (
        f"nothing permits {owner} to write {url}; whoever operates Noonday does so with an entry in"
        f" NOONDAY_TARGETS_ALLOW: {entry}"
    )
