from cloudtrail import by, caller_key, context, made_by_aws, text

QUESTIONS = (
    "GetAccountAuthorizationDetails",
    "GetAccountPasswordPolicy",
    "GetAccountSummary",
    "GetCredentialReport",
    "GetLoginProfile",
    "GetUser",
    "ListAccessKeys",
    "ListAccountAliases",
    "ListAttachedGroupPolicies",
    "ListAttachedRolePolicies",
    "ListAttachedUserPolicies",
    "ListGroupPolicies",
    "ListGroups",
    "ListGroupsForUser",
    "ListInstanceProfiles",
    "ListMFADevices",
    "ListOpenIDConnectProviders",
    "ListPolicies",
    "ListRolePolicies",
    "ListRoles",
    "ListSAMLProviders",
    "ListServiceSpecificCredentials",
    "ListSigningCertificates",
    "ListSSHPublicKeys",
    "ListUserPolicies",
    "ListUsers",
    "ListVirtualMFADevices",
    "SimulatePrincipalPolicy",
)


def rule(event):
    if event.get("eventName") not in QUESTIONS or event.get("eventSource") != "iam.amazonaws.com":
        return False
    return not made_by_aws(event)


def unique(event):
    return text(event.get("eventName"))


def title(event):
    return by(event, "IAM enumerated")


def dedup(event):
    return caller_key(event)


def alert_context(event):
    return context(event, question=event.get("eventName"))
