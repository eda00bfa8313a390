"""``python -m chalicelib.local``: serve Noonday on this machine."""

from __future__ import annotations

import argparse
import ipaddress
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from chalicelib.local.end_signals import EndSignals
from chalicelib.local.only_one import Served
from chalicelib.local.profile import profile_path, write_profile
from chalicelib.local.service import Options, Service, admit, build
from chalicelib.model.errors import NoondayError
from chalicelib.model.instants import parse_instant, zone
from chalicelib.settings import BadSetting, Settings, config_home, environment, read_settings

CANNOT, MISUSED = 1, 2


class CannotServe(Exception):
    """Why not, in one line, and the exit code."""

    def __init__(self, message: str, code: int = CANNOT) -> None:
        super().__init__(message)
        self.code = code


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        given = _arguments(arguments)
        settings = _settings(given)
        options = _options(given)
        return _serve(settings, options)
    except CannotServe as error:
        print(f"noonday: {error}", file=sys.stderr)  # noqa: T201
        return error.code


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m chalicelib.local",
        description="Serve Noonday in one process: REST, alarm and workers.",
        epilog="Settings of the environment (NOONDAY_…) are listed in docs/settings.md.",
    )
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one (8080)")
    parser.add_argument("--host", default="127.0.0.1", help="whom to listen to (this machine only)")
    parser.add_argument("--database", help="sqlite:///PATH or mysql://USER@HOST/DATABASE")
    parser.add_argument(
        "--clock", metavar="ISO", help="a clock that starts there and is moved by hand"
    )
    parser.add_argument(
        "--pause", metavar="REASON", help="begin paused: nothing is launched until it is resumed"
    )
    return parser.parse_args(arguments)


def _settings(given: argparse.Namespace) -> Settings:
    """This server knows principals by its own tokens, so that is what it takes unless told otherwise."""
    environ = {"NOONDAY_AUTH": "local", **environment()}
    if given.database:
        environ["NOONDAY_DATABASE"] = given.database
    try:
        settings = read_settings(environ)
    except BadSetting as error:
        raise CannotServe(str(error), MISUSED) from None
    if settings.auth != "local":
        raise CannotServe(
            f"NOONDAY_AUTH is {settings.auth}, which only API Gateway can verify; unset it here",
            MISUSED,
        )
    return settings


def _options(given: argparse.Namespace) -> Options:
    if not 0 <= given.port <= 65_535:
        raise CannotServe(f"--port {given.port} is no port; it is 0 to 65535", MISUSED)
    clock_ms = None
    if given.clock:
        try:
            clock_ms = parse_instant(given.clock, zone("UTC"))
        except ValueError as error:
            raise CannotServe(f"--clock: {error}", MISUSED) from None
    return Options(
        host=given.host,
        port=given.port,
        clock_ms=clock_ms,
        pause=given.pause,
        profile=profile_path(config_home(environment())),
    )


def _serve(settings: Settings, options: Options) -> int:
    listener = _bound(options)
    service = _built(settings, options, listener)
    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    token = admit(service.noonday, options)
    ends = EndSignals()
    kept = _keep_token(options, url, token)
    service.start(_handlers())
    _announce(service, options, url, kept)
    ends.wait()
    _say(
        "Stopping: answering what was accepted, letting runs that began finish (once more: at once)"
    )
    left = service.stop(settings.grace_s)
    if left:
        _say(f"Stopped; {left} still at work or in line go on after the next start")
    return 0


def _bound(options: Options) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        why = error.strerror or str(error)
        hint = "; choose another with --port" if options.port else ""
        raise CannotServe(f"{options.host}:{options.port} cannot be served: {why}{hint}") from None
    return listener


def _built(settings: Settings, options: Options, listener: socket.socket) -> Service:
    try:
        return build(settings, options, listener, _app())
    except Served as error:
        raise CannotServe(f"{error}; stop it first, or serve another database") from None
    except NoondayError as error:
        raise CannotServe(f"{settings.database.url}: {error.message}") from None
    except OSError as error:
        raise CannotServe(f"{settings.database.url}: {error.strerror or error}") from None


def _app() -> object:
    """The app imports this package's neighbours, so it is imported when all of them are there."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from app import app  # noqa: PLC0415

    return app


def _handlers() -> dict[str, object]:
    from app import app  # noqa: PLC0415

    return dict(app.handler_map)


def _keep_token(options: Options, url: str, token: str) -> str:
    """Before anybody is told where to find it; what to tell them."""
    try:
        write_profile(options.profile, url, token)
    except OSError as error:
        why = f"{options.profile} cannot be written: {error.strerror}"
        return f"{token} ({why}; for the CLI set NOONDAY_URL={url} and NOONDAY_TOKEN)"
    return f"in {options.profile}, where the CLI finds it"


def _announce(service: Service, options: Options, url: str, kept: str) -> None:
    settings = service.noonday.settings
    for warning in settings.warnings:
        _say(f"warning: {warning}")
    if not _is_loopback(url):
        _say("warning: others can reach this server, and what is said to it is not encrypted")
    _say(f"Noonday serves at {url}")
    _say(f"  database   {service.noonday.store.describe()}")
    if options.clock_ms is not None:
        _say(f'  clock      moved by hand: POST {url}/clock {{"advance": "PT1H"}}')
    _say(f"  token      {kept}")
    if not settings.process:
        _say("  programs   are not run; to let jobs run them here: NOONDAY_PROCESS=on make run")
    _say("  first job  noonday job submit examples/hello.yaml --schedule")
    _say(f"  API        {url}/openapi.json     (Ctrl-C stops)")


def _is_loopback(url: str) -> bool:
    host = url.removeprefix("http://").rpartition(":")[0].strip("[]")
    return ipaddress.ip_address(host).is_loopback


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
