def rule(event):
    return all(
        (
            event.get("eventName") == "ChangeResourceRecordSets",
            event.get("eventSource") == "route53.amazonaws.com",
            "DELETE" in str(event.get("requestParameters")),
        )
    )
