import re

CHANGES = re.compile(r"Modify(DB|Db)(Cluster)?Snapshot")


def rule(event):
    if event.get("eventSource") != "rds.amazonaws.com":
        return False
    return bool(CHANGES.match(event.get("eventName", "")))
