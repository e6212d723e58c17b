# Trap: importing a submodule hides a builtin in the package.
import m_package.all
from m_package import check_all


def rule(event):
    return check_all(event)
