from cloudtrail import by, context, succeeded, text
from policies import is_public

WRITING = (
    "CreateKey",
    "CreateQueue",
    "CreateTopic",
    "PutKeyPolicy",
    "PutRegistryPolicy",
    "PutResourcePolicy",
    "SetQueueAttributes",
    "SetRepositoryPolicy",
    "SetTopicAttributes",
    "SetVaultAccessPolicy",
)
# Where the services put the policy document in the request.
DOCUMENTS = (
    ("policyText",),
    ("policy",),
    ("policy", "policy"),
    ("resourcePolicy",),
    ("policyInJson",),
    ("attributeValue",),
    ("attributes", "Policy"),
    ("attribute", "Policy"),
)
NAMES = ("repositoryName", "keyId", "secretId", "resourceArn", "queueUrl", "queueName", "topicArn", "name", "vaultName")


def rule(event):
    return event.get("eventName") in WRITING and document(event) is not None and succeeded(event)


def document(event):
    """The policy document of the request that is public, if any."""
    found = (event.deep_get("requestParameters", *path) for path in DOCUMENTS)
    return next((one for one in found if is_public(one)), None)


def resource(event):
    found = (text(event.deep_get("requestParameters", name)) for name in NAMES)
    return next((name for name in found if name), "unknown")


def service(event):
    return text(event.get("eventSource")).partition(".")[0]


def title(event):
    return by(event, f"{service(event)} resource {resource(event)} opened to everyone")


def alert_context(event):
    return context(event, resource=resource(event), policy=document(event))
