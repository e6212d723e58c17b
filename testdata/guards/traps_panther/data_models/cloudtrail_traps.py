CALLS = []


def subject(event):
    return event["requestParameters"]["subject"]


def calls(event):
    CALLS.append(1)
    return len(CALLS)
