EXPECTED = (("eventSource", "route53.amazonaws.com"), ("eventName", "DeleteHostedZone"))


def rule(event):
    return all(event.get(key) == value for key, value in EXPECTED)
