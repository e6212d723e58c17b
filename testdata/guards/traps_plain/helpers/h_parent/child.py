NAMES = {"TrapChild"}
