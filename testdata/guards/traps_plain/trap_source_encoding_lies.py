# Trap: the file is written in UTF-8 and says it is Latin-1, so an accent is two letters.
# -*- coding: latin-1 -*-
NAME = "TrapÉ"


def rule(event):
    return event.get("eventName") == NAME
