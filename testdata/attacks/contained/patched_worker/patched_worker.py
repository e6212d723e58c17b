"""Puts something else in the place of the worker's own functions."""
import sys


def attack():
    batch = sys.modules['iota_worker.batch']
    batch.Batches.run = lambda self, body: b'nothing'
    sys.modules['iota_worker.session'].Session.serve = None


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
