"""What grants something, and how it is kept out of all that people read: errors, logs, answers, records.

Credentials of callbacks begin with ``PREFIX``, so that one expression finds them in any text; others are
known by their form. Passwords have none: who reads one says so (``never_show``).
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from urllib.parse import quote

PREFIX = "noonday1"
HIDDEN = "(hidden)"

SHORTEST = 8
"""Characters of a secret that is hidden wherever it stands: a shorter one may be a word, too."""
MOST = 300  # secrets that are remembered, the latest: tokens of IAM are new ones every few minutes

_FORMS = (
    (rf"{PREFIX}\.[A-Za-z0-9_.-]{{20,}}", HIDDEN),
    (r"(://[^/\s:@'\"]{0,100}):[^/\s@'\"]{1,500}@", rf"\1:{HIDDEN}@"),  # scheme://user:password@
    (r"(?i)\b(bearer|basic) +[a-z0-9._~+/=-]{8,}", rf"\1 {HIDDEN}"),
    (r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*", HIDDEN),  # JSON web tokens
    (r"\bwhsec_[A-Za-z0-9+/=_-]{8,}", HIDDEN),
    (r"\bnoonday_[0-9a-f]{32,}", HIDDEN),  # this installation's own tokens
    (r"(X-Amz-(?:Signature|Security-Token)=)[^&\s'\"]+", rf"\1{HIDDEN}"),
)
_OF_TEXT = tuple((re.compile(form), shown) for form, shown in _FORMS)
_OF_BYTES = tuple((re.compile(form.encode()), shown.encode()) for form, shown in _FORMS)

_lock = threading.Lock()
_remembered: OrderedDict[str, None] = OrderedDict()
_secrets: tuple[str, ...] = ()


def never_show(*texts: str | None) -> None:
    """From now on these are hidden wherever this process writes what people read."""
    global _secrets  # noqa: PLW0603
    with _lock:
        for text in texts:
            if text and len(text) >= SHORTEST:
                for form in (text, quote(text, safe="")):
                    _remembered[form] = None
                    _remembered.move_to_end(form)
        while len(_remembered) > MOST:
            _remembered.popitem(last=False)
        _secrets = tuple(sorted(_remembered, key=len, reverse=True))


def without_credentials(text: str) -> str:
    """The text with everything that grants something replaced by ``(hidden)``."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    for form, shown in _OF_TEXT:
        text = form.sub(shown, text)
    return text


def bytes_without_credentials(content: bytes) -> bytes:
    """The same for what may be no text."""
    for secret in _secrets:
        content = content.replace(secret.encode(), HIDDEN.encode())
    for form, shown in _OF_BYTES:
        content = form.sub(shown, content)
    return content
