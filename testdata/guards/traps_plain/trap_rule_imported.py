# Trap: `rule` comes from another module under the same name.
from h_rule import rule  # noqa: F401

NAMES = {"StopLogging"}
