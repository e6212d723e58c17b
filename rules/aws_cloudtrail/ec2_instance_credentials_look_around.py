from cloudtrail import by, context, from_instance, text

QUESTIONS = (
    "DescribeParameters",
    "GetAccountAuthorizationDetails",
    "GetCallerIdentity",
    "ListAccountAliases",
    "ListAttachedRolePolicies",
    "ListBuckets",
    "ListRoles",
    "ListSecrets",
    "ListUsers",
)


def rule(event):
    return event.get("eventName") in QUESTIONS and from_instance(event)


def unique(event):
    return text(event.get("eventName"))


def title(event):
    return by(event, "Instance credentials used to look around")


def dedup(event):
    return text(event.deep_get("userIdentity", "arn")) or "unknown instance"


def alert_context(event):
    return context(event, question=event.get("eventName"))
