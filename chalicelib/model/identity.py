"""Names that Noonday computes: an instance's id and a run's token are functions of what they name."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

from pydantic import AfterValidator

ID = re.compile(r"[0-9a-f]{32}")
_TOKEN = re.compile(r"([0-9a-f]{32})-([1-9][0-9]{0,8})")
SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")

PRINCIPAL = re.compile(r"((role|user|group):(\d{12}:)?)?[a-z0-9][a-z0-9_.@+=,-]{0,199}")
"""Of this installation's tokens, or with a prefix of IAM and Cognito."""


def _slug(text: str) -> str:
    if SLUG.fullmatch(text) is None:
        raise ValueError(
            "a name is 1 to 100 of a-z, 0-9, dot, underscore and hyphen, and begins with a letter or digit"
        )
    return text


Slug = Annotated[str, AfterValidator(_slug)]


def instance_id(job_id: str, nominal_ms: int) -> str:
    """48 bits of nominal time and 80 of a hash: ordered by time, and the same after a restore."""
    digest = hashlib.blake2b(f"{job_id}/{nominal_ms}".encode(), digest_size=10).hexdigest()
    return f"{nominal_ms:012x}{digest}"


def run_token(instance: str, run: int) -> str:
    """The run's public identity towards its target: 32 to 64 of [A-Za-z0-9-], the same at every repeat."""
    return f"{instance}-{run}"


def read_token(text: str) -> tuple[str, int] | None:
    """The instance and the run that a token names; None for what is no token."""
    found = _TOKEN.fullmatch(text)
    return (found[1], int(found[2])) if found else None


def is_id(text: str) -> bool:
    """Whether the text has the form of an id; everything else is a name."""
    return ID.fullmatch(text) is not None
