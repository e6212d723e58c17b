# Trap: `config` takes no other keyword.
from iota_rule import config


def rule(event):
    return config("limit", otherwise=1) == 7
