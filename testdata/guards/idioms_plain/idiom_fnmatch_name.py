from fnmatch import fnmatch


def rule(event):
    return fnmatch(event.get("eventName", ""), "Delete*Log*") and event.get("eventSource") == "ec2.amazonaws.com"
