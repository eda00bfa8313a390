"""What runs can launch, one module a kind."""

from chalicelib.targets.allowance import Allowance, Permission
from chalicelib.targets.configuration import Connection, TargetSettings
from chalicelib.targets.registry import TargetRegistry

__all__ = ["Allowance", "Connection", "Permission", "TargetRegistry", "TargetSettings"]
