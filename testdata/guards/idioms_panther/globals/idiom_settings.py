from iota_rule import config

WATCHED_PURCHASES = config("watched_purchases")
LIMIT = config.get("purchase_limit", 100)
