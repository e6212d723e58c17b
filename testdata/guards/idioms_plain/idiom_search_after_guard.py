import re

PIPED = re.compile(r"(curl|wget)[^|]*\|\s*(ba)?sh")


def rule(event):
    if event.get("eventName") != "SendCommand" or event.get("eventSource") != "ssm.amazonaws.com":
        return False
    lines = event.deep_get("requestParameters", "parameters", "commands", default=[])
    return any(re.search(PIPED, line) for line in lines if isinstance(line, str))
