"""Prints and logs without measure."""
import logging
import sys


def attack():
    for _ in range(20_000):
        print('x' * 5_000)
    sys.stderr.write('y' * 20_000_000)
    logging.error('z' * 20_000_000)


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
