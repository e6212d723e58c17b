# Trap: StopIteration inside a generator becomes a RuntimeError.
def first(event):
    yield next(iter(event.get("trapList", ["x"])))


def rule(event):
    return list(first(event)) == ["trap"]
