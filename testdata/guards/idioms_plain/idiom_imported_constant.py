from names import FUNCTION_WRITES


def rule(event):
    return event.get("eventName") in FUNCTION_WRITES and event.get("eventSource") == "lambda.amazonaws.com"
