"""Who lets requests in before the app sees them: chosen when the app is packaged and when it is loaded."""

from __future__ import annotations

from collections.abc import Mapping

from chalice.app import Authorizer, CognitoUserPoolAuthorizer, IAMAuthorizer

from chalicelib.settings import BadSetting


def authorizer_of(environ: Mapping[str, str]) -> Authorizer | None:
    """API Gateway's authorizer of every route but the public ones; None where the app itself looks at tokens.

    Raises:
        BadSetting: NOONDAY_AUTH is cognito, and no user pool is named.
    """
    auth = environ.get("NOONDAY_AUTH", "")
    if auth == "iam":
        return IAMAuthorizer()
    if auth != "cognito":
        return None
    pool = environ.get("NOONDAY_COGNITO_POOL")
    if not pool:
        raise BadSetting("NOONDAY_AUTH is cognito: set NOONDAY_COGNITO_POOL to the user pool's ARN")
    return CognitoUserPoolAuthorizer("noonday", provider_arns=[pool])
