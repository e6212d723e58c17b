from checks import reach


def rule(event):
    return reach(event, ["userIdentity", "type"]) == "Root" and reach(event, ["userIdentity", "invokedBy"]) is None
