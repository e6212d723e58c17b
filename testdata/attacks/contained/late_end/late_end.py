"""Ends the process when another rule may be at work."""
import os
import threading
import time


def attack():
    def end():
        time.sleep(0.02)
        os._exit(5)
    threading.Thread(target=end).start()


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
