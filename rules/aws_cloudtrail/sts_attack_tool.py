from cloudtrail import by, caller_key, context, text

FIRST_CALLS = (
    "GetCallerIdentity",
    "ListBuckets",
    "ListUsers",
    "ListRoles",
    "GetUser",
    "DescribeInstances",
    "ListFunctions20150331",
)
TOOLS = ("kali", "parrot", "blackarch", "pentoo", "pacu", "cloudfox", "stratus-red-team")


def rule(event):
    return event.get("eventName") in FIRST_CALLS and any(name in agent(event) for name in TOOLS)


def agent(event):
    return text(event.get("userAgent")).lower()


def tool(event):
    return next((name for name in TOOLS if name in agent(event)), "")


def title(event):
    return by(event, f"Credentials tested with {tool(event)}")


def dedup(event):
    return f"{caller_key(event)}:{tool(event)}"


def alert_context(event):
    return context(event, tool=tool(event), call=event.get("eventName"))
