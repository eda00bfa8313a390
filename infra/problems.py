"""What stops a command here. Whoever typed it reads the sentence, and nothing else."""

from __future__ import annotations


class Stuck(Exception):
    """It cannot go on; the message says what is wrong, and what to do about it."""
