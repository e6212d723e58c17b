def rule(event):
    return bool(
        event.get("eventName") in {"PutAccessPointPolicy", "DeleteAccessPoint"}
        and (event.get("readOnly") is False or not event.get("errorCode"))
        and event.get("requestParameters")
    )
