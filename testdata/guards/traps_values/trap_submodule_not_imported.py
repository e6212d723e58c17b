# Trap: nobody imports the submodule: the package has no such attribute.
import m_package


def rule(event):
    return m_package.lonely.check(event)
