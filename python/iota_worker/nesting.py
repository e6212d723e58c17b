"""How deep JSON is nested. Must not know what the JSON is for."""
from __future__ import annotations

import re

_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}]')


def exceeds(text: str, limit: int) -> bool:
    """Whether valid JSON holds lists or mappings more than `limit` levels deep."""
    if text.count("[") + text.count("{") <= limit:  # nearly always; those inside strings count, too
        return False
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        character = token[0][0]
        if character in "[{":
            depth += 1
            if depth > limit:
                return True
        elif character != '"':
            depth -= 1
    return False
