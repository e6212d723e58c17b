# Trap: `import *` from a module that is still loading gives what it has so far.
import m_circle_a
from m_circle_b import check


def rule(event):
    return check(event)
