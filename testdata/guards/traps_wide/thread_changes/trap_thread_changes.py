# Trap: a thread changes the constant at import.
import threading

NAMES = {"StopLogging"}
worker = threading.Thread(target=NAMES.add, args=("TrapThread",))
worker.start()
worker.join()


def rule(event):
    return event.get("eventName") in NAMES
