from cloudtrail import by, context, listed, objects, succeeded

NOISY_SOURCES = ("kms.amazonaws.com", "rdsdata.amazonaws.com")


def rule(event):
    if event.get("eventName") != "PutEventSelectors" or not succeeded(event):
        return False
    basic = objects(event.deep_get("requestParameters", "eventSelectors"))
    advanced = objects(event.deep_get("requestParameters", "advancedEventSelectors"))
    if not basic and not advanced:
        return False
    return not any(map(is_complete, basic)) and not any(map(is_complete_advanced, advanced))


def is_complete(selector):
    excluded = listed(selector.get("excludeManagementEventSources"))
    return (
        selector.get("includeManagementEvents") is not False
        and selector.get("readWriteType") in (None, "All")
        and all(source in NOISY_SOURCES for source in excluded)
    )


def is_complete_advanced(selector):
    fields = {str(one.get("field")): one for one in objects(selector.get("fieldSelectors"))}
    category = fields.pop("eventCategory", {})
    sources = fields.pop("eventSource", {})
    excluded = listed(sources.get("notEquals"))
    return (
        "Management" in listed(category.get("equals"))
        and not sources.get("equals")
        and all(source in NOISY_SOURCES for source in excluded)
        and not fields
    )


def title(event):
    return by(event, f"Event selectors of trail {event.deep_get('requestParameters', 'trailName')} reduced")


def alert_context(event):
    return context(event, request=event.get("requestParameters"))
