# Trap: the file is in Latin-1 and says so; bytes above 127 are one letter each.
# -*- coding: latin-1 -*-
NAME = "TrapCafé"


def rule(event):
    return event.get("eventName") == NAME
