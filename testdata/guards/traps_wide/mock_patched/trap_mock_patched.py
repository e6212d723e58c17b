# Trap: unittest.mock.patch.dict changes the constant and leaves it changed.
from unittest import mock

NAMES = {"StopLogging": 1}
mock.patch.dict(NAMES, {"TrapMock": 1}).start()


def rule(event):
    return event.get("eventName") in NAMES
