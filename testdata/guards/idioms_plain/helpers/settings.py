from iota_rule import config

PROTECTED_ACCOUNTS = frozenset(config("protected_accounts"))
