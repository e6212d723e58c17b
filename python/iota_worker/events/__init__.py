"""The event objects rules see: read-only, decoded once per record and shared by all rules of the record.
Must not know rules, the protocol or data model files; `Surroundings` carries what an event asks the pack for."""
from .frozen import thaw
from .panther import ImmutableList, PantherEvent, decode_panther, panther_event, teach_json
from .plain import decode_plain, freeze, plain_event
from .supplied import format_time, read_time, supplied_fields
from .surroundings import NoPack, Surroundings

__all__ = ["ImmutableList", "NoPack", "PantherEvent", "Surroundings", "decode_panther", "decode_plain", "format_time", "freeze",
           "panther_event", "plain_event", "read_time", "supplied_fields", "teach_json", "thaw"]
