# Trap: importing a submodule replaces a global name of the package.
import m_package.names
from m_package import check


def rule(event):
    return check(event)
