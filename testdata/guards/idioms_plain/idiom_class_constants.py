class Backup:
    SOURCE = "backup.amazonaws.com"
    DESTROYS = ("DeleteRecoveryPoint", "DeleteVault")


def rule(event):
    return event.get("eventSource") == Backup.SOURCE and event.get("eventName") in Backup.DESTROYS
