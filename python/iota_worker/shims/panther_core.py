"""`from panther_core import PantherEvent`: the name rules annotate their parameter with.
Must not know more than the event type."""
from ..events import PantherEvent

__all__ = ["PantherEvent"]
