import m_star_package.any
from m_star_package import *


def check(event):
    return any(name == event.get("eventName") for name in ("StopLogging",))
