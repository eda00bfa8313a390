"""``noonday instance``: what ran, what runs, and what waits."""

from cli.commands.instance import change, files, look
from cli.commands.instance.group import instance

__all__ = ["change", "files", "instance", "look"]
