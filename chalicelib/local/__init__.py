"""Noonday in one process: the app behind an HTTP server, its alarm a thread, its queues memory."""
