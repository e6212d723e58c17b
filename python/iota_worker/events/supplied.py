"""The fields that iota supplies to rules beside the record: log type, event time, parse time.
Must not know events, only records as decoded."""
from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

SUPPLIED = frozenset({"p_log_type", "p_event_time", "p_parse_time"})


def read_time(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):  # the latter where it is before the year 1 or after 9999 in UTC
        return None


def format_time(moment: datetime) -> str:
    """`2024-01-19 13:47:18.279921000`, UTC: the form of `p_event_time`."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f") + "000"


_TIMES_LIMIT = 4_096
_times: dict[Any, str] = {}  # by eventTime: of those that are close in time many have the same


def _event_time(text: Any, parse_time: str) -> str:
    if isinstance(text, str) and len(text) == 20 and text[10] == "T" and text[19] == "Z" and read_time(text):
        return f"{text[:10]} {text[11:19]}.000000000"  # what CloudTrail always writes
    moment = read_time(text)
    return parse_time if moment is None else format_time(moment)


def supplied_fields(record: Mapping[str, Any], log_type: str, parse_time: str) -> dict[str, str]:
    """`p_log_type`, `p_event_time` (the parse time when the record has no readable time) and `p_parse_time`."""
    text = record.get("eventTime")
    event_time = _times.get(text) if text.__class__ is str else None
    if event_time is None:
        event_time = _event_time(text, parse_time)
        if event_time is not parse_time and text.__class__ is str:
            if len(_times) >= _TIMES_LIMIT:
                _times.clear()
            _times[text] = event_time
    return {"p_log_type": sys.intern(log_type), "p_event_time": event_time, "p_parse_time": parse_time}
