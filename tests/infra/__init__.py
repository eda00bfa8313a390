"""The stack: what is packaged, what it may do, and what deploys it."""
