SCORE = {"CreateImage": 1, "CopyImage": 2}
SCORED = list(SCORE.keys())


def rule(event):
    return event.get("eventName") in SCORED
