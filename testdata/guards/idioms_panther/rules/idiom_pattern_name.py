import re

SNAPSHOT = re.compile(r"^CreateDB(Cluster)?Snapshot$")


def rule(event):
    return bool(SNAPSHOT.match(event.get("eventName", ""))) and event.get("errorCode") is None
