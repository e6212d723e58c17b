"""The values of `config:` in pack.yaml."""

from iota_rule import config

# Unquoted in YAML an account id is a number and may have lost its leading zeros.
TRUSTED_ACCOUNTS = tuple(str(one).zfill(12) for one in config("trusted_accounts"))

# Buckets that CloudTrail delivers to.
TRAIL_BUCKETS = tuple(str(one) for one in config("trail_buckets"))
