"""What runs can launch, one module a kind; and what prerequisites can look at of the same places."""

from chalicelib.targets.allowance import Allowance, Permission
from chalicelib.targets.configuration import Connection, TargetSettings
from chalicelib.targets.glue_probe import GlueProbe
from chalicelib.targets.http_probe import HttpProbe
from chalicelib.targets.registry import TargetRegistry
from chalicelib.targets.s3_probe import S3Probe
from chalicelib.targets.sql_probe import SqlProbe

__all__ = [
    "Allowance",
    "Connection",
    "GlueProbe",
    "HttpProbe",
    "Permission",
    "S3Probe",
    "SqlProbe",
    "TargetRegistry",
    "TargetSettings",
]
