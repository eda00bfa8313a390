"""Results in S3: a file on this machine first, then one object, which is there as a whole or not at all.

The key carries the run's token. So a repetition of the run writes over its own object and no other one, and a
run that comes later leaves it alone.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from chalicelib.aws import Aws, AwsFailure, Rejected
from chalicelib.model.prerequisite import S3
from chalicelib.targets.allowance import Allowance
from chalicelib.targets.aws_kind import Need, quoted
from chalicelib.targets.sql_session import SqlFailure

KIND = "s3_results"
LARGEST = 5 * 1024**3
"""Bytes of an object that is written by one call."""
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
    def drafting(self, url: str, owner: str, token: str) -> Iterator[S3Draft]:
        """A draft of the object; gone at the end, whatever happens, also to this process."""
        with tempfile.TemporaryFile(buffering=1 << 18) as file:
            yield S3Draft(file, keyed(url, token), owner, self._aws, self._allow)

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

    file: IO[bytes]
    url: str
    owner: str
    aws: Aws
    allow: Allowance

    def finish(self) -> None:
        """Write the object. Before the database's commit: what is committed has its result.

        Raises:
            SqlFailure: it is not written, or nobody can tell; a repetition writes the same object.
        """
        size = self.file.tell()
        if size > LARGEST:
            raise SqlFailure(
                f"the result has {size} bytes; S3 takes {LARGEST} at once", retry=False
            )
        bucket, _, key = self.url.removeprefix(S3).partition("/")
        entry = self.allow.find(self.owner, KIND, f"{bucket}/{key}")
        if entry is None:
            raise SqlFailure(str(complaint_of(self.url, self.owner, self.allow)), retry=False)
        call = self.aws.caller(entry.role, self.owner, read_s=READ_S)
        self.file.seek(0)
        kind = _TYPES.get(PurePosixPath(key).suffix, "application/x-ndjson")
        asked = {"Bucket": bucket, "Key": key, "Body": self.file, "ContentType": kind}
        try:
            call("s3", "PutObject", asked)
        except AwsFailure as failure:
            retry = not isinstance(failure, Rejected)
            raise SqlFailure(
                f"the result is not in {self.url}: {failure}", retry=retry
            ) from failure

    def publish(self) -> None:
        """It is in its place already."""


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
