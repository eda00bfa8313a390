"""What one command line knows: which server, as whom, for which team, and how to show the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import click

from cli.gateway import region_of
from cli.profiles import LOCAL, Profile, Profiles, load, path_of, save

if TYPE_CHECKING:
    from cli.client import Client
    from cli.cognito import Pool
    from cli.screen import Screen

FORMATS = ("table", "json", "yaml")


@dataclass(frozen=True, slots=True)
class Access:
    """A server and how we are known there. ``url_from``, ``token_from`` and ``auth_from`` say who set them.

    ``auth``: token, iam or cognito. ``region`` and ``aws_profile`` are for iam: None leaves them to AWS's
    own configuration. ``renew`` gives a new ID token and keeps it; None where nothing can.
    """

    url: str
    token: str | None
    owner: str | None
    url_from: str = ""
    token_from: str = ""
    auth: str = "token"
    auth_from: str = ""
    region: str | None = None
    aws_profile: str | None = None
    renew: Callable[[], str] | None = field(default=None, compare=False)


@dataclass
class Session:
    """One command line. Options win over the environment, the environment over the profile."""

    environment: Mapping[str, str]
    url: str | None = None
    profile: str | None = None
    owner: str | None = None
    output: str = "table"
    screen: Screen | None = None

    @cached_property
    def profiles(self) -> Profiles:
        return load(path_of(self.environment))

    def access(self) -> Access:
        """The server to speak to."""
        profile, name = self._profile()
        url, url_from = _first(
            (self.url, "--url"),
            (self.environment.get("NOONDAY_URL"), "NOONDAY_URL"),
            (profile.url, f"profile {name}"),
            (LOCAL, "default"),
        )
        token, token_from = _first(
            (self.environment.get("NOONDAY_TOKEN"), "NOONDAY_TOKEN"),
            (profile.token if self._same_server(url, profile) else None, f"profile {name}"),
            (None, ""),
        )
        owner, _ = _first(
            (self.owner, "--owner"),
            (self.environment.get("NOONDAY_OWNER"), "NOONDAY_OWNER"),
            (profile.owner, f"profile {name}"),
        )
        mine = profile if self._same_server(url, profile) else Profile()
        region = region_of(url or LOCAL)
        auth, auth_from = _first(
            (mine.auth, f"profile {name}"),
            ("cognito" if region and token else None, "the address, and there is a token"),
            ("iam" if region else None, "the address"),
            ("token", "default"),
        )
        return Access(
            url or LOCAL,
            token,
            owner,
            url_from,
            token_from,
            auth or "token",
            auth_from,
            mine.region or region,
            mine.aws_profile,
            self._renewal(mine, name, region) if token and token == mine.token else None,
        )

    def pool(self, region: str, client_id: str) -> Pool:
        """The user pool's client."""
        from cli.cognito import Pool  # noqa: PLC0415 - only who signs in

        return Pool(region, client_id, self.environment)

    def _renewal(self, profile: Profile, name: str, region: str | None) -> Callable[[], str] | None:
        client_id, refresh, region = profile.client_id, profile.refresh, profile.region or region
        if client_id is None or refresh is None or region is None:
            return None

        def renew() -> str:
            tokens = self.pool(region, client_id).renew(refresh)
            path = path_of(self.environment)
            kept = load(path)  # another command may have changed it meanwhile
            save(kept.with_token(name, tokens.identity, tokens.refresh or refresh), path)
            return tokens.identity

        return renew

    @property
    def profile_name(self) -> str:
        """The profile that settings are kept in."""
        return self.profile or self.environment.get("NOONDAY_PROFILE") or self.profiles.current

    @cached_property
    def api(self) -> Client:
        """The server, as the commands speak to it. Its notices go to stderr."""
        from cli.client import Client  # noqa: PLC0415 - help must not wait for HTTP

        return Client(self.access(), notice=lambda text: click.echo(text, err=True))

    def close(self) -> None:
        """End the connection, if there was one."""
        if "api" in self.__dict__:
            self.api.close()

    def with_patience(self, seconds: float) -> Client:
        """The same server, whose answer may take so long."""
        self.api.transport.patience = replace(self.api.transport.patience, answer=seconds)
        return self.api

    def _profile(self) -> tuple[Profile, str]:
        name = self.profile or self.environment.get("NOONDAY_PROFILE")
        if name:
            return self.profiles.named(name), name
        return self.profiles.chosen(), self.profiles.current

    @staticmethod
    def _same_server(url: str | None, profile: Profile) -> bool:
        """A profile's token is for the profile's server; another address must not see it."""
        return profile.url is None or (url or "").rstrip("/") == profile.url.rstrip("/")


def _first(*candidates: tuple[str | None, str]) -> tuple[str | None, str]:
    return next(((value, origin) for value, origin in candidates if value), (None, ""))
