NAMES = {"TrapNear"}
