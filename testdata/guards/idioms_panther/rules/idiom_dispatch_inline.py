def public(event):
    return event.deep_get("requestParameters", "publiclyAccessible") is True


def nothing(event):
    return False


def rule(event):
    return {"ModifyDBInstance": public, "RestoreDBInstanceFromDBSnapshot": public}.get(event.get("eventName"), nothing)(event)
