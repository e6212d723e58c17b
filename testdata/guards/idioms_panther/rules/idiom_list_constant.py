ROUTES = [
    "CreateRoute",
    "ReplaceRoute",
]


def rule(event):
    if event.get("eventName") not in ROUTES:
        return False
    gateway = event.deep_get("requestParameters", "gatewayId", default="")
    return gateway.startswith("igw-")
