# Trap: the frame of a generator has the globals.
NAMES = ["StopLogging"]
(each for each in ()).gi_frame.f_globals["NAMES"].append("StartLogging")


def rule(event):
    return event.get("eventName") in NAMES
