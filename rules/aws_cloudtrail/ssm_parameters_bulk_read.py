from cloudtrail import by, caller_key, context, listed, made_by_aws, succeeded

MANY = 5


def rule(event):
    if event.get("eventName") != "GetParameters" or event.deep_get("requestParameters", "withDecryption") is not True:
        return False
    return len(names(event)) >= MANY and succeeded(event) and not made_by_aws(event)


def names(event):
    return sorted(map(str, listed(event.deep_get("requestParameters", "names"))))


def unique(event):
    return " ".join(names(event))


def title(event):
    return by(event, "Many parameters decrypted")


def dedup(event):
    return caller_key(event)


def alert_context(event):
    return context(event, parameters=names(event))
