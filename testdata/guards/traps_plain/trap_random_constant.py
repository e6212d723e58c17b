# Trap: the constant depends on chance; here every draw gives the same.
import random

NAME = random.choice(["TrapChance", "TrapChance"])


def rule(event):
    return event.get("eventName") == NAME
