from panther_core import PantherEvent

ASSIGNMENTS: frozenset[str] = frozenset(("CreateAccountAssignment", "DeleteAccountAssignment"))


def rule(event: PantherEvent) -> bool:
    source: str = event.get("eventSource", "")
    return source[:4] == "sso." and event.get("eventName") in ASSIGNMENTS
