"""Rule packs of the benchmarks: guarded rules in the usual idioms, each asking for event names of its own."""

from pathlib import Path

# The fields of a record whose event name is rewritten to one of these stay as they are.
PREFIX = "BenchmarkAction"
HELPERS = '''def is_success(event):
    return not event.get("errorCode") and not event.get("errorMessage")


def deep_get(event, *keys, default=None):
    value = event
    for key in keys:
        if not isinstance(value, dict):
            return default
        value = value.get(key)
    return default if value is None else value
'''
RULES = [
    '''from bench_helpers import is_success

NAMES = {{"{name}", "{name}Again"}}


def rule(event):
    return is_success(event) and event.get("eventName") in NAMES
''',
    '''from bench_helpers import deep_get


def rule(event):
    if event.get("eventSource") == "none.amazonaws.com":
        return False
    if event.get("eventName") != "{name}":
        return False
    return deep_get(event, "userIdentity", "type", default="") != "AWSService"
''',
    '''def rule(event):
    return event["eventName"] == "{name}" and event.get("awsRegion", "").startswith(("us-", "eu-", "ap-", "sa-", "ca-"))
''',
]
TITLE = '''

def title(event):
    return f"{name} by {{event.get('sourceIPAddress')}}"


def dedup(event):
    return event.get("recipientAccountId") or "none"
'''
UNGUARDED = '''def rule(event):
    return len(str(sorted(event))) < 0
'''


def write(directory: Path, count: int, unguarded: int = 0) -> Path:
    """A pack of `count` guarded rules; `unguarded` more have to be run on every record."""
    directory.mkdir(parents=True)
    (directory / "bench_helpers.py").write_text(HELPERS, encoding="utf-8")
    for number in range(count):
        name = f"{PREFIX}{number}"
        source = RULES[number % len(RULES)].format(name=name) + TITLE.format(name=name)
        (directory / f"rule_{number:05}.py").write_text(source, encoding="utf-8")
    for number in range(unguarded):
        (directory / f"unguarded_{number}.py").write_text(UNGUARDED, encoding="utf-8")
    return directory
