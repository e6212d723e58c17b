# Trap: True == 1 == 1.0, also in sets; "1" is not.
FLAGS = {1, 7}


def rule(event):
    return event.get("trapFlag") in FLAGS
