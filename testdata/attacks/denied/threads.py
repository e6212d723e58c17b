"""Start threads until there are no more."""
import threading

from attempt import attempt, is_attack


def attack():
    end = threading.Event()
    try:
        for _ in range(200):
            threading.Thread(target=end.wait, daemon=True).start()
    finally:
        end.set()
    return 200


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
