from example_helpers import caller_context, succeeded
from panther_core import PantherEvent

STOPPING = {"DeleteTrail", "StopLogging"}


def is_maintenance() -> bool:
    return False


def rule(event: PantherEvent) -> bool:
    return event.get("eventName") in STOPPING and succeeded(event)


def title(event):
    return f"{event.get('eventName')} by {event.udm('actor_user')} in {account_name(event)}"


def account_name(event):
    row = event.lookup("account_names", event.get("recipientAccountId"))
    return row.get("name") if row else event.get("recipientAccountId")


def severity(event):
    if is_maintenance():
        return "info"
    return "CRITICAL" if event.udm("actor_user") == "root" else "DEFAULT"


def destinations(event):
    if is_maintenance():
        return []
    return ["soc", "oncall"]


def dedup(event):
    return f"{event.get('recipientAccountId')}:{event.get('awsRegion')}"


def description(event):
    return f"Region {event.get('awsRegion')} may no longer be recorded."


def runbook():
    return "Start the trail again and ask the caller."


def reference(event):
    return "https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_" + event.get("eventName") + ".html"


def alert_context(event):
    return caller_context(event) | {"trail": event.deep_get("requestParameters", "name")}
