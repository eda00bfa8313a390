"""Customer keys of KMS: what is encrypted with one takes its own permission, of who reads or writes it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from infra.intrinsics import sub
from infra.stage import Stage

READS: Mapping[str, Sequence[str]] = {
    "athena": ("s3", "glue"),
    "glue_data": ("glue",),
    "redshift_data": ("secretsmanager",),
    "s3_results": ("s3",),  # the parts of a large object are read to put it together
    "sns": ("sns",),
    "sqs": ("sqs",),
    "step_functions": ("states",),
}
"""Services that decrypt in the caller's name, by kind."""
WRITES: Mapping[str, Sequence[str]] = {
    "athena": ("s3",),
    "s3_results": ("s3",),
    "sns": ("sns",),
    "sqs": ("sqs",),
    "step_functions": ("states",),
}
"""Those that encrypt."""


def statements(
    kinds: Collection[str], stage: Stage, *, connects: bool = False
) -> Iterator[dict[str, Any]]:
    """Through those services alone. ``connects``: reads the secrets of connections too."""
    if not stage.keys:
        return
    reads = {service for kind in kinds for service in READS.get(kind, ())}
    if connects and any(one.secret for one in stage.connections.values()):
        reads.add("secretsmanager")
    writes = {service for kind in kinds for service in WRITES.get(kind, ())}
    for sid, action, services in (
        ("ReadEncrypted", "kms:Decrypt", reads),
        ("WriteEncrypted", "kms:GenerateDataKey", writes),
    ):
        if services:
            yield {
                "Sid": sid,
                "Effect": "Allow",
                "Action": [action],
                "Resource": sorted(stage.keys),
                "Condition": {"StringEquals": {"kms:ViaService": _via(services, stage.keys)}},
            }


def _via(services: Collection[str], keys: Sequence[str]) -> list[Any]:
    """A key is used in its own region."""
    regions = {key.split(":")[3] for key in keys}
    return [
        sub(f"{service}.{region}.${{AWS::URLSuffix}}")
        for service in sorted(services)
        for region in sorted(regions)
    ]
