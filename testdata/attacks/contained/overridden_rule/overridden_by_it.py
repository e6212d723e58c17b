"""Matches nothing, which cannot be read from its source."""


def rule(event):
    return id(event) == 0
