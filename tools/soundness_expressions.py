"""Random match expressions for `soundness_rules.py`: inline filters and detections over the same few keys and values.
Must not know rules or records."""

from __future__ import annotations

import random
from typing import Any

KEYS = ["eventName", "eventName", "eventSource", "errorCode", "x", "y", "n", "list", "address"]
INNER = ["type", "n", "a", "list", "address"]
OUTER = ["userIdentity", "requestParameters", "o"]
TEXTS = ["", "a", "b", "ab", "A", "Ab", "a:b", "Get", "GetX", "1", "ä", "Ä", "aa"]
ADDRESSES = ["10.0.0.1", "10.1.2.3", "192.168.0.1", "8.8.8.8", "::1", "fe80::1%e", "2001:db8::1", "::ffff:10.0.0.1", "010.0.0.1",
             "10.0.0", "1.2.3.4.", " 10.0.0.1", "1:2", "ec2.amazonaws.com", "10.0.0.1/8"]
NETWORKS = ["10.0.0.0/8", "10.0.0.1/8", "0.0.0.0/0", "::/0", "2001:db8::/32", "192.168.0.1", "10.0.0.0/255.0.0.0", "8.8.8.8/32", "8.8.8.0/31"]
SAME = ["Equals", "IEquals"]
TEXT = ["StartsWith", "IStartsWith", "EndsWith", "IEndsWith", "Contains", "IContains"]
ORDER = ["IsGreaterThan", "IsGreaterThanOrEqual", "IsGreaterThanOrEquals", "IsLessThan", "IsLessThanOrEqual", "IsLessThanOrEquals"]
INVERSE = {"Equals": "DoesNotEqual", "IEquals": "IDoesNotEqual", "StartsWith": "DoesNotStartWith", "IStartsWith": "IDoesNotStartWith",
           "EndsWith": "DoesNotEndWith", "IEndsWith": "IDoesNotEndWith", "Contains": "DoesNotContain", "IContains": "IDoesNotContain"}
UNARY = ["IsIPAddress", "IsIPv4Address", "IsIPv6Address", "IsIPAddressPrivate", "IsIPAddressPublic", "IsNull", "IsNotNull", "IsNullOrEmpty",
         "IsNotNullOrEmpty", "Exists", "DoesNotExist"]
ELEMENTS = ["AnyElement", "AllElements", "OnlyOneElement", "NoElement"]


def scalar(rng: random.Random) -> Any:
    return rng.choice([rng.choice(TEXTS), rng.choice(TEXTS), rng.choice(TEXTS), rng.choice(TEXTS), 0, 1, 2, 1.0, 0.5, True, False, None, 2**53 + 1])


def operand(rng: random.Random) -> Any:
    return rng.choice([scalar(rng), scalar(rng), scalar(rng), scalar(rng), [], {}, ["a", "b"], [1, True], {"a": 1}])


def key(rng: random.Random, element: bool) -> dict[str, Any]:
    """Where an expression looks; in an element of a list often at the element itself."""
    if element and rng.random() < 0.5:
        return {}
    name = rng.choice(INNER if element else KEYS)
    outer, inner = rng.choice(OUTER), rng.choice(INNER)
    return rng.choice([
        {"Key": name}, {"Key": name}, {"Key": name}, {"KeyPath": name}, {"DeepKey": [outer, inner]}, {"KeyPath": f"{outer}.{inner}"},
        {"KeyPath": f"$.{outer}.{inner}"}, {"KeyPath": "list[0]"}, {"KeyPath": f"{outer}.list[-1]"}, {"DeepKey": ["list", 1]},
        {"KeyPath": "list[*]"}, {"KeyPath": f"..{inner}"}, {"Key": outer}, {"Key": "eventname"}, {"Key": "p_event_time"}, {},
    ])


def condition(rng: random.Random, depth: int, element: bool) -> dict[str, Any]:
    where = key(rng, element)
    kind = rng.random()
    if kind < 0.3:
        name = rng.choice(SAME)
        return {"Condition": rng.choice([name, name, INVERSE[name]]), "Value": operand(rng)} | where
    if kind < 0.5:
        name = rng.choice(TEXT)
        return {"Condition": rng.choice([name, name, INVERSE[name]]), "Value": operand(rng) if rng.random() < 0.2 else rng.choice(TEXTS)} | where
    if kind < 0.6:
        values = [operand(rng) for _ in range(rng.randrange(4))] if rng.random() < 0.5 else rng.sample(TEXTS, 3)
        return {"Condition": rng.choice(["IsIn", "IsIn", "IsNotIn"]), "Values": values} | where
    if kind < 0.65:
        return {"Condition": rng.choice(ORDER), "Value": operand(rng)} | where
    if kind < 0.75:
        return {"Condition": rng.choice(UNARY)} | where
    if kind < 0.8:
        name = rng.choice(["IsIPAddressInCIDR", "IsIPAddressNotInCIDR"])
        return {"Condition": name} | rng.choice([{"Value": rng.choice(NETWORKS)}, {"Values": rng.sample(NETWORKS, 2)}]) | where
    if kind < 0.83:
        name = rng.choice(["CIDRContainsIPAddresses", "CIDRDoesNotContainIPAddresses"])
        return {"Condition": name, "Values": rng.sample(["10.0.0.1", "8.8.8.8", "::1", "2001:db8::1"], 2)} | where
    if kind < 0.88:
        pair = [key(rng, element) or {"Key": "x"}, {"Key": rng.choice(KEYS)}]
        return {"Condition": rng.choice([*SAME, *TEXT, *ORDER, *INVERSE.values()]), "Values": pair}
    if kind < 0.96 and depth > 0:
        inner = [expression(rng, depth - 1, True) for _ in range(rng.randrange(1, 3))]
        return {"Condition": rng.choice(ELEMENTS), "Expressions": inner} | rng.choice([{"Key": "list"}, {"KeyPath": "o.list"}, where])
    return {"Condition": rng.choice(["AlwaysTrue", "AlwaysFalse"])}


def expression(rng: random.Random, depth: int = 2, element: bool = False) -> dict[str, Any]:
    if depth <= 0 or rng.random() < 0.75:
        return condition(rng, depth, element)
    parts = [expression(rng, depth - 1, element) for _ in range(rng.randrange(1, 4))]
    return {rng.choice(["All", "Any", "OnlyOne", "None"]): parts}


def expressions(rng: random.Random) -> list[dict[str, Any]]:
    return [expression(rng) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
