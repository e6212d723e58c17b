from h_seen import SEEN


def rule(event):
    return len(SEEN) % 2 == 1
