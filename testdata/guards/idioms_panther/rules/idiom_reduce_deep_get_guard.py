from idiom_deep import reduced_get


def rule(event):
    return reduced_get(event, "userIdentity", "invokedBy", default="") == "support.amazonaws.com"
