"""TLS to the database: verified, or not at all."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from chalicelib.model.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Tls:
    """``ca_file``: the authorities that may vouch for the server; None for those of the system.

    Without a ``Tls`` a database on this machine is reached in the clear, every other one with the
    system's authorities. There is no way to encrypt without verifying.
    """

    ca_file: Path | None = None


@lru_cache(maxsize=4)
def context_of(tls: Tls) -> ssl.SSLContext:
    """One context a process: building it reads all authorities, and takes 20 ms.

    Raises:
        Unavailable: the file of authorities cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise Unavailable(
            f"the authorities in {tls.ca_file} cannot be read ({error}); give a PEM file of certificates"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
