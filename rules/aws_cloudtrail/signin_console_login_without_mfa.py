from cloudtrail import by, context


def rule(event):
    if event.get("eventName") != "ConsoleLogin" or event.deep_get("userIdentity", "type") != "IAMUser":
        return False
    signed_in = event.deep_get("responseElements", "ConsoleLogin") == "Success"
    return signed_in and event.deep_get("additionalEventData", "MFAUsed") == "No"


def title(event):
    return by(event, "Console sign-in without MFA")


def alert_context(event):
    return context(event, sign_in=event.get("additionalEventData"))
