from cloudtrail import by, context, succeeded

DELETING = ("DeleteDBInstance", "DeleteDBCluster")


def rule(event):
    if event.get("eventName") not in DELETING or event.deep_get("requestParameters", "skipFinalSnapshot") is not True:
        return False
    return succeeded(event) and not is_cluster_member(event)


def is_cluster_member(event):
    """The data stays in the cluster."""
    cluster = event.deep_get("responseElements", "dBClusterIdentifier")
    return event.get("eventName") == "DeleteDBInstance" and bool(cluster)


def database(event):
    cluster = event.deep_get("requestParameters", "dBClusterIdentifier")
    return cluster or event.deep_get("requestParameters", "dBInstanceIdentifier")


def title(event):
    return by(event, f"Database {database(event)} deleted without a final snapshot")


def alert_context(event):
    return context(event, database=database(event))
