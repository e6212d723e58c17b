def rule(event):
    if event.get("eventName") != "AssumeRole":
        return False
    arn = event.deep_get("requestParameters", "roleArn", default="")
    parts = arn.split(":")
    return len(parts) > 4 and parts[4] != event.get("recipientAccountId") and arn[:4] == "arn:"
