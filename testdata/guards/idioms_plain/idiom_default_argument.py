def is_call(event, names=("ExportImage", "CreateInstanceExportTask", "CreateStoreImageTask"), source="ec2.amazonaws.com"):
    return event.get("eventSource") == source and event.get("eventName") in names


def rule(event):
    return is_call(event)
