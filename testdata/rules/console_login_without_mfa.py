"""Console sign-in of an IAM user with a password alone."""


def rule(event):
    return (
        event.get("eventName") == "ConsoleLogin"
        and event.deep_get("userIdentity", "type") == "IAMUser"
        and event.deep_get("responseElements", "ConsoleLogin") == "Success"
        and event.deep_get("additionalEventData", "MFAUsed") == "No"
    )


def title(event):
    return f"{event.deep_get('userIdentity', 'arn')} signed in without MFA"


def severity():
    return "HIGH"
