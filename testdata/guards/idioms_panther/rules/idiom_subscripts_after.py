def rule(event):
    if event["eventName"] != "DeletePolicy":
        return False
    return "/security/" in event["requestParameters"]["policyArn"]
