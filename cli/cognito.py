"""Signing in to a user pool of Cognito: by name and password, and again by the refresh token that came of it.

These requests carry no signature and need no library of AWS.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cli.errors import Failure
from cli.transport import Request, Transport

_TARGET = "AWSCognitoIdentityProviderService"
_ANSWERS = {
    "NEW_PASSWORD_REQUIRED": ("NEW_PASSWORD", "New password"),
    "SOFTWARE_TOKEN_MFA": ("SOFTWARE_TOKEN_MFA_CODE", "Code of your authenticator"),
    "SMS_MFA": ("SMS_MFA_CODE", "Code from the message"),
    "EMAIL_OTP": ("EMAIL_OTP_CODE", "Code from the e-mail"),
}
_MOST_QUESTIONS = 5
_HINTS = {
    "ResourceNotFoundException": "check --client-id and --region: the stack tells UserPoolClientId",
    "PasswordResetRequiredException": "an administrator has reset it; set a new one on the pool's page",
    "UserNotConfirmedException": "an administrator has to confirm the user first",
    "InvalidParameterException": "the pool's client has to allow ALLOW_USER_PASSWORD_AUTH",
}


class Ended(Failure):
    """The refresh token is of no use any more."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """``refresh``: None where the one before goes on."""

    identity: str
    refresh: str | None


class Pool:
    """One client of one user pool, which its id names."""

    def __init__(self, region: str, client_id: str, environment: Mapping[str, str]) -> None:
        suffix = ".cn" if region.startswith("cn-") else ""
        url = (
            environment.get("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER")
            or environment.get("AWS_ENDPOINT_URL")
            or f"https://cognito-idp.{region}.amazonaws.com{suffix}"
        )
        self._client_id = client_id
        self._transport = Transport(url, notice=lambda _: None)

    def sign_in(self, user: str, password: str, ask: Callable[[str], str]) -> Tokens:
        """``ask``: for whatever the pool wants besides: a new password, a code.

        Raises:
            Failure: the pool refuses, or wants what cannot be asked for here.
        """
        given = {"USERNAME": user, "PASSWORD": password}
        answer = self._initiate("USER_PASSWORD_AUTH", given)
        for _ in range(_MOST_QUESTIONS):
            challenge = answer.get("ChallengeName")
            if not challenge:
                return _tokens(answer)
            if challenge not in _ANSWERS:
                raise Failure(
                    f"the user pool asks for {challenge}, which cannot be answered here",
                    hint="sign in elsewhere, and give the ID token to noonday login",
                )
            field, words = _ANSWERS[challenge]
            told = answer.get("ChallengeParameters", {}).get("USER_ID_FOR_SRP") or user
            asked = {
                "ChallengeName": challenge,
                "ClientId": self._client_id,
                "Session": answer.get("Session"),
                "ChallengeResponses": {"USERNAME": told, field: ask(words)},
            }
            answer = self._post("RespondToAuthChallenge", asked)
        raise Failure("the user pool does not stop asking")

    def renew(self, refresh: str) -> Tokens:
        """Raises Ended when the pool does not take it any more; Failure when it gives no answer."""
        return _tokens(self._initiate("REFRESH_TOKEN_AUTH", {"REFRESH_TOKEN": refresh}))

    def revoke(self, refresh: str) -> None:
        """It gives no tokens any more, nor do those hold that came of it and can be revoked."""
        self._post("RevokeToken", {"Token": refresh, "ClientId": self._client_id})

    def _initiate(self, flow: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        asked = {"AuthFlow": flow, "ClientId": self._client_id, "AuthParameters": parameters}
        return self._post("InitiateAuth", asked)

    def _post(self, operation: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"{_TARGET}.{operation}",
            "User-Agent": "noonday-cli",
        }
        try:
            response = self._transport.send(
                Request("POST", "/", headers, json.dumps(asked).encode())
            )
        finally:
            self._transport.close()
        try:
            document = json.loads(response.body or b"{}")
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise Failure(f"what answers at {self._transport.url} is no user pool of Cognito")
        if response.status != 200:
            raise _refused(document)
        return document


def _refused(document: Mapping[str, Any]) -> Failure:
    code = str(document.get("__type", "")).rpartition("#")[2]
    said = document.get("message") or document.get("Message") or code or "no reason given"
    kind = Ended if code in ("NotAuthorizedException", "UserNotFoundException") else Failure
    return kind(f"the user pool refuses: {said}", hint=_HINTS.get(code))


def _tokens(answer: Mapping[str, Any]) -> Tokens:
    result = answer.get("AuthenticationResult") or {}
    identity, refresh = result.get("IdToken"), result.get("RefreshToken")
    if not isinstance(identity, str):
        raise Failure("the user pool gave no ID token")
    return Tokens(identity, refresh if isinstance(refresh, str) else None)
