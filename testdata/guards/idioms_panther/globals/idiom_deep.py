"""The same question asked in three ways: the value at a path of keys."""

from collections.abc import Mapping
from functools import reduce


def reduced_get(obj, *keys, default=None):
    value = reduce(lambda found, key: found.get(key) if isinstance(found, Mapping) else None, keys, obj)
    return default if value is None else value


def looped_get(obj, keys, default=None):
    for key in keys:
        if obj is None:
            return default
        obj = obj.get(key)
    return default if obj is None else obj


def recursive_get(obj, path, default=None):
    head, _, rest = path.partition(".")
    if not isinstance(obj, Mapping):
        return default
    value = obj.get(head, default)
    return recursive_get(value, rest, default) if rest else value
