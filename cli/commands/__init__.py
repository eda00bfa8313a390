"""The commands, one module a group. Each parses, calls and renders, and decides nothing."""
