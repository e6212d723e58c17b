"""Decides what every later import gets."""
import builtins
import sys


def attack():
    class Finder:
        def find_spec(self, name, path=None, target=None):
            raise ImportError('not today')
    sys.meta_path.insert(0, Finder())
    sys.path_hooks.clear()
    builtins.__import__ = None


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False
