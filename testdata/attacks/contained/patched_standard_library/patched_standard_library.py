"""Breaks what everything else is built on."""
import builtins
import json


def attack():
    json.dumps = json.loads = None
    builtins.len = builtins.str = None


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
