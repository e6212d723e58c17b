from idiom_base import call_succeeded, deep_get

ATTACH = ("AttachUserPolicy", "AttachRolePolicy")


def rule(event):
    return (
        call_succeeded(event)
        and event.get("eventName") in ATTACH
        and deep_get(event, "requestParameters", "policyArn", default="").endswith("/AdministratorAccess")
    )
