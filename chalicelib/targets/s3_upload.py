"""One object of S3, written piece by piece: it is there as a whole at the end, or not at all.

What fits into one piece is one call. What is larger goes up in parts while it comes, so that neither memory
nor a disk has to hold it; S3 shows nothing of them before they are put together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from chalicelib.aws import AwsFailure, Caller, LostAnswer, NotTaken, Rejected

PART = 8 * 1024**2
"""Bytes of a part, at least; S3 takes no less than 5 MB but for the last."""
MOST_PARTS = 10_000  # S3's
TRIES = 3
PAUSE_S = 1.0
_SUM = "ChecksumCRC32"


class TooLarge(Exception):
    """More parts than S3 takes."""


class Stopped(Exception):
    """Nobody wants it any more."""


class Upload:
    """``call``: as whoever may write there. ``wait``: that long, true when the run must stop meanwhile."""

    def __init__(
        self, call: Caller, place: Mapping[str, str], kind: str, wait: Callable[[float], bool]
    ) -> None:
        """``place``: Bucket and Key. ``kind``: the object's media type."""
        self._call = call
        self._place = place
        self._kind = kind
        self._wait = wait
        self._kept = bytearray()
        self._id: str | None = None
        self._parts: list[dict[str, Any]] = []
        self._lost = False

    def write(self, data: bytes, /) -> int:
        """Raises AwsFailure, TooLarge or Stopped."""
        self._kept += data
        if len(self._kept) >= PART:
            self._send_part()
        return len(data)

    def finish(self) -> None:
        """The object is there. Raises AwsFailure, also when nobody can tell; TooLarge; Stopped."""
        if self._id is None:
            asked = {**self._place, "ContentType": self._kind, "Body": bytes(self._kept)}
            self._insist("PutObject", asked)
            return
        if self._kept:
            self._send_part()
        parts = {"Parts": self._parts}
        try:
            self._insist("CompleteMultipartUpload", {**self._upload, "MultipartUpload": parts})
        except Rejected as error:
            # Only we end it: where an answer was lost before, it was that of its end.
            if error.code != "NoSuchUpload" or not self._lost:
                raise
        self._id = None

    def give_up(self) -> None:
        """What went up is thrown away; nothing, after the end. Raises nothing."""
        if self._id is not None:
            with suppress(AwsFailure):
                self._call("s3", "AbortMultipartUpload", self._upload)
            self._id = None

    @property
    def _upload(self) -> dict[str, Any]:
        return {**self._place, "UploadId": self._id}

    def _send_part(self) -> None:
        if self._id is None:
            asked = {**self._place, "ContentType": self._kind}
            self._id = str(self._insist("CreateMultipartUpload", asked)["UploadId"])
        number = len(self._parts) + 1
        if number > MOST_PARTS:
            raise TooLarge
        part, self._kept = bytes(self._kept), bytearray()
        numbered = self._upload | {"PartNumber": number, "Body": part}
        answer = self._insist("UploadPart", numbered)
        told = {_SUM: answer[_SUM]} if _SUM in answer else {}
        self._parts.append({"ETag": answer["ETag"], "PartNumber": number, **told})

    def _insist(self, operation: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Each of these may be repeated: the same bytes come to the same place."""
        self._lost = False
        for left in reversed(range(TRIES)):
            if self._wait(0):
                raise Stopped
            try:
                return self._call("s3", operation, asked)
            except (LostAnswer, NotTaken) as failure:
                self._lost = self._lost or isinstance(failure, LostAnswer)
                if not left:
                    raise
                self._wait(PAUSE_S)
        raise AssertionError("unreachable")
