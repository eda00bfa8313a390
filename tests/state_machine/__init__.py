"""The two state machines, against tables written by another hand."""
