# Trap: the helper puts an object in the place of its module.
import h_object


def rule(event):
    return h_object.wanted(event)
