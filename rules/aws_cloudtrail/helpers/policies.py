"""What an identity, resource or trust policy document allows."""

import json
from collections.abc import Mapping
from urllib.parse import unquote

from cloudtrail import listed, objects
from settings import TRUSTED_ACCOUNTS

# Conditions on these keys do not narrow down who may call.
HARMLESS_CONDITIONS = ("aws:securetransport", "s3:tlsversion")


def statements(document):
    """The Allow statements of a policy given as an object or as JSON text; none when it cannot be read."""
    policy = _parsed(document) if isinstance(document, str) else document
    found = objects(policy.get("Statement")) if isinstance(policy, Mapping) else []
    return [one for one in found if one.get("Effect") == "Allow"]


def _parsed(document):
    try:
        return json.loads(document if document.lstrip().startswith("{") else unquote(document))
    except (ValueError, RecursionError):
        return None


def aws_principals(statement):
    """The AWS principals of a statement: account ids, ARNs or `*`."""
    if "NotPrincipal" in statement:
        return ["*"]
    principal = statement.get("Principal")
    named = principal.get("AWS") if isinstance(principal, Mapping) else principal
    return [one for one in listed(named) if isinstance(one, str)]


def conditional(statement):
    """A condition narrows down who may call."""
    condition = statement.get("Condition")
    operators = condition.values() if isinstance(condition, Mapping) else []
    keys = [key.lower() for operator in operators if isinstance(operator, Mapping) for key in operator]
    return any(key not in HARMLESS_CONDITIONS for key in keys)


def is_public(document):
    """The policy lets anyone in, without a condition that narrows it down."""
    return any("*" in aws_principals(one) and not conditional(one) for one in statements(document))


def foreign_accounts(document, home):
    """Accounts the policy lets in that are neither `home` nor trusted by the pack's configuration."""
    ids = {_account_of(principal) for one in statements(document) for principal in aws_principals(one)}
    return sorted(ids - {"", home} - set(TRUSTED_ACCOUNTS))


def _account_of(principal):
    parts = principal.split(":")
    owner = parts[4] if len(parts) > 5 else principal
    return owner if len(owner) == 12 and owner.isdigit() else ""


def grants_admin(document):
    """The policy allows every action, or all of IAM, on every resource."""
    return any(
        "*" in listed(one.get("Resource"))
        and any(action in ("*", "*:*", "iam:*") for action in listed(one.get("Action")))
        for one in statements(document)
    )
