JOINING = {"AddUserToGroup"}
LEAVING = {"RemoveUserFromGroup"}


def rule(event):
    return event.get("eventName") in (JOINING | LEAVING)
