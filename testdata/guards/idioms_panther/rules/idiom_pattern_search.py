import re

TOOLS = re.compile(r"(?i)\b(pacu|trufflehog|cloudfox)\b")


def rule(event):
    if event.get("eventName") != "GetCallerIdentity":
        return False
    return TOOLS.search(event.get("userAgent", "")) is not None
