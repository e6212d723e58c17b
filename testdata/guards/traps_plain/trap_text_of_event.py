# Trap: str() of the record shows Python's spelling, json.dumps JSON's.
import json


def rule(event):
    return "'trapShown': None" in str(event) and '"trapShown": null' in json.dumps(event)
