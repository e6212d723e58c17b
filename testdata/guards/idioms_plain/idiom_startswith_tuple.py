GIVING = ("AttachUser", "AttachRole", "PutUserPolicy")


def rule(event):
    name = event.get("eventName") or ""
    return name.startswith(GIVING) and not event.get("errorMessage")
