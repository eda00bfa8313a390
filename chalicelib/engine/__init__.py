"""Core Scheduler Engine: the use cases, and the ports through which they reach the world."""

from chalicelib.engine.engine import Engine

__all__ = ["Engine"]
