class Federation:
    CALLS = {"CreateSAMLProvider", "UpdateSAMLProvider"}

    @staticmethod
    def named(event):
        return event.get("eventName") in Federation.CALLS


def rule(event):
    return event.get("eventSource") == "iam.amazonaws.com" and Federation.named(event)
