from m_circle_a import *


def check(event):
    return event.get("eventName") in NAMES
