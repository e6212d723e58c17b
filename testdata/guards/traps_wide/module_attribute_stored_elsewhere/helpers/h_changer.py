import h_names as other

target = other
target.NAMES = {"TrapChanged"}
