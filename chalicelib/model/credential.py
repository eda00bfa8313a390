"""What a run's target shows when it calls back, and how it is kept out of all that people read.

Every credential begins with ``PREFIX``, so that one expression finds it in any text.
"""

from __future__ import annotations

import re

PREFIX = "noonday1"
HIDDEN = "(hidden)"
_CREDENTIAL = re.compile(rf"{PREFIX}\.[A-Za-z0-9_.-]{{20,}}")
_OF_BYTES = re.compile(_CREDENTIAL.pattern.encode())


def without_credentials(text: str) -> str:
    """The text with every credential of a callback replaced by ``(hidden)``."""
    return _CREDENTIAL.sub(HIDDEN, text) if PREFIX in text else text


def bytes_without_credentials(content: bytes) -> bytes:
    """The same for what may be no text."""
    return _OF_BYTES.sub(HIDDEN.encode(), content)
