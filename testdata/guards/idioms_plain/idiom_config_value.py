from settings import PROTECTED_ACCOUNTS

CALLS = {"DeleteDBInstance", "DeleteDBCluster"}


def rule(event):
    return event.get("eventName") in CALLS and event.get("recipientAccountId") in PROTECTED_ACCOUNTS
