"""How the app starts: in Lambda as one function, which loads what it needs; everywhere else as all of them.

A start has a whole processor to itself and is not waited for by every event; the first event has a third of
one. So what a function certainly needs is loaded, and Noonday is composed, before its first event; and what
other functions need is not loaded at all.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module

from chalice.app import Chalice

NEEDS: Mapping[str, tuple[str, ...]] = {
    "app": ("chalicelib.api",),
    "minute": ("chalicelib.events.alarm",),
    "second": ("chalicelib.events.alarm",),
    "launch": ("chalicelib.events.launching", "botocore.session"),  # it launches nothing but AWS
    "work": ("chalicelib.events.launching",),
    "check": ("chalicelib.events.launching",),
    "deliver": ("chalicelib.events.delivering",),
    "completion": ("chalicelib.events.completing",),
    "data_arrival": ("chalicelib.events.arriving",),
    "housekeeping": ("chalicelib.events.tidying",),
    "migrate": ("chalicelib.deployment",),
}
"""By the names of ``app.py``: what each function loads beside itself. ``app`` is the API."""
ALONE = frozenset({"migrate"})
"""Composes nothing: there may be no database to speak of yet."""


def function_of(environ: Mapping[str, str]) -> str | None:
    """Which function this process is; None: it is not in Lambda, or is one that nobody has heard of."""
    if not environ.get("AWS_LAMBDA_FUNCTION_NAME"):
        return None
    name = environ.get("_HANDLER", "").rpartition(".")[2]
    return name if name in NEEDS else None


def start(app: Chalice, environ: Mapping[str, str]) -> None:
    """Before the handlers are declared: what is loaded now is never garbage, and is not looked through."""
    gc.disable()
    try:
        _start(app, environ)
    finally:
        gc.freeze()
        gc.enable()


def _start(app: Chalice, environ: Mapping[str, str]) -> None:
    from chalicelib.events import tracing  # noqa: PLC0415 - loaded now, and not before

    app.register_middleware(tracing.trace, "all")
    function = function_of(environ)
    if function in (None, "app"):
        from chalicelib import api  # noqa: PLC0415 - other functions do without

        api.register(app)
    if environ.get("AWS_LAMBDA_FUNCTION_NAME"):
        from chalicelib import cloud  # noqa: PLC0415 - a laptop does without
        from chalicelib.events import failing  # noqa: PLC0415

        cloud.provide()
        for kind in failing.KINDS:
            app.register_middleware(failing.tell, kind)
    if function is not None:
        for name in NEEDS[function]:
            import_module(name)
        if function not in ALONE:
            _compose()


def _compose() -> None:
    """What is wrong is told by the first event, and tried again then."""
    from chalicelib.model.errors import NoondayError  # noqa: PLC0415
    from chalicelib.wiring import noonday  # noqa: PLC0415

    with suppress(NoondayError):
        noonday()


def started(app: Chalice) -> None:
    """After the handlers are declared."""
    from chalicelib.events import failing  # noqa: PLC0415

    failing.take_any_event(app)
