"""What the database can take. RDS gives MySQL one connection for every 12,582,880 bytes that its class has
left after the system's own; the table counts on what is left in practice.
"""

from __future__ import annotations

from collections.abc import Mapping

from infra.problems import Stuck

CONNECTION_BYTES = 12_582_880
SYSTEM = 0.25
"""Of the memory, what the system and RDS itself take on the smallest classes."""

MEMORY_GB: Mapping[str, float] = {
    **{f"db.t4g.{size}": gb for size, gb in (("micro", 1), ("small", 2), ("medium", 4))},
    **{f"db.t4g.{size}": gb for size, gb in (("large", 8), ("xlarge", 16), ("2xlarge", 32))},
    **{f"db.t3.{size}": gb for size, gb in (("micro", 1), ("small", 2), ("medium", 4))},
    **{f"db.m7g.{size}": gb for size, gb in (("large", 8), ("xlarge", 16), ("2xlarge", 32))},
    **{f"db.m8g.{size}": gb for size, gb in (("large", 8), ("xlarge", 16), ("2xlarge", 32))},
    **{f"db.r7g.{size}": gb for size, gb in (("large", 16), ("xlarge", 32), ("2xlarge", 64))},
    **{f"db.r8g.{size}": gb for size, gb in (("large", 16), ("xlarge", 32), ("2xlarge", 64))},
}
RESERVE = 12
"""For people, RDS itself, and a deployment whose old functions are still at work."""


def max_connections(instance: str) -> int:
    """What the class can hold.

    Raises:
        Stuck: the class is not in the table.
    """
    if instance not in MEMORY_GB:
        raise Stuck(
            f"database.instance: {instance} is not known here; it is one of {', '.join(MEMORY_GB)}; "
            "a new class is one line in infra/capacity.py"
        )
    return int(MEMORY_GB[instance] * 2**30 * (1 - SYSTEM) / CONNECTION_BYTES)


def connections_allowed(instance: str, used: int) -> int:
    """``max_connections`` of the parameter group.

    Raises:
        Stuck: the class cannot hold what the functions may open.
    """
    most = max_connections(instance)
    if used + RESERVE > most:
        raise Stuck(
            f"database.instance: {instance} holds {most} connections, and the functions may open {used}, "
            f"besides {RESERVE} in reserve; choose a larger class"
        )
    return most
