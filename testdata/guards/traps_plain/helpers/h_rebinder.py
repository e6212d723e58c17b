NAMES = {"TrapImported"}
