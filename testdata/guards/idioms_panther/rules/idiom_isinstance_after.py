def rule(event):
    if event.get("eventName") != "PutBucketVersioning":
        return False
    settings = event.deep_get("requestParameters", "VersioningConfiguration")
    if isinstance(settings, str):
        return "Suspended" in settings
    return settings is not None and settings.get("Status") == "Suspended"
