"""What a call to AWS that failed means: certainly not taken, refused for good, or nobody can tell."""

from __future__ import annotations

# Codes of AWS for "not now"; what contains Throttl is one too.
_NOT_NOW = frozenset(
    {
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
        "ProvisionedThroughputExceededException",
        "ConcurrentRunsExceededException",
        "ResourceNumberLimitExceededException",
        "ExecutionLimitExceeded",
        "ActiveStatementsExceededException",
        "AccountLimitExceededException",
        "LimitExceededException",
        "OverLimit",
        "PriorRequestNotComplete",
        "KMSThrottlingException",
        "EC2ThrottledException",
        "ResourceNotReadyException",
    }
)
_STALE_KEYS = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})


class AwsFailure(Exception):
    """A call that did not succeed. ``code``: what AWS calls it, or the name of what the client met."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code


class NotTaken(AwsFailure):
    """AWS has certainly not done it, and may do it later: throttled, full, not reached."""


class Rejected(AwsFailure):
    """AWS says no: access denied, no such thing, a parameter it does not take."""


class LostAnswer(AwsFailure):
    """The request went out and no answer came, or one that says nothing: it may have been carried out."""


def failure_of(error: Exception) -> AwsFailure | None:
    """What an exception of boto3 means; None for one that is not boto3's."""
    from botocore import exceptions  # noqa: PLC0415 - botocore is loaded by the first call
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    if isinstance(error, exceptions.ClientError):
        told = error.response.get("Error", {})
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return answered(str(told.get("Code", "Unknown")), str(told.get("Message", "")), status)
    name, text = type(error).__name__, str(error)
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        remedy = "give this process credentials of AWS: a role, a profile or AWS_ACCESS_KEY_ID"
        return Rejected(name, f"{text}; {remedy}")
    if isinstance(error, exceptions.NoRegionError):
        return Rejected(name, f"{text} Set NOONDAY_AWS_REGION, for example to eu-central-1")
    unsent = (
        exceptions.EndpointConnectionError,
        exceptions.ConnectTimeoutError,
        exceptions.ProxyConnectionError,
        exceptions.CredentialRetrievalError,
    )
    if isinstance(error, unsent):
        return NotTaken(name, text)
    if isinstance(error, exceptions.HTTPClientError | ResponseParserError):
        return LostAnswer(name, text)
    if isinstance(error, exceptions.BotoCoreError):  # parameters that the client itself refuses
        return Rejected(name, text)
    return None


def answered(code: str, message: str, status: int) -> AwsFailure:
    """What an error means that AWS answers. ``status``: of HTTP."""
    if status == 429 or code in _NOT_NOW or code in _STALE_KEYS or "Throttl" in code:
        return NotTaken(code, message)
    if status >= 500:
        return LostAnswer(code, message)
    return Rejected(code, message)
