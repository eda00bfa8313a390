"""The only place that talks to Amazon. botocore is loaded by the first call
that needs it, and by nothing before it."""

from chalicelib.aws.calling import Aws, Caller, region_of
from chalicelib.aws.failures import AwsFailure, LostAnswer, NotTaken, Rejected

__all__ = ["Aws", "AwsFailure", "Caller", "LostAnswer", "NotTaken", "Rejected", "region_of"]
