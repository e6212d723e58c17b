# Trap: the decorator remembers the answer per source.
MEMO = {}


def memo(function):
    def call(event):
        source = event.get("eventSource")
        if source not in MEMO:
            MEMO[source] = function(event)
        return MEMO[source]

    return call


@memo
def rule(event):
    return event.get("eventName") == "TrapMemo"
