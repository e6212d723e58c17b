# Trap: `import *` from a package gives the submodules that were imported.
from m_star_user import check


def rule(event):
    return check(event)
