"""Processes that disturb a stack from outside: their own session, another user where it can be."""
