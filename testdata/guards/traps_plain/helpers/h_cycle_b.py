import h_cycle_a

COPIED = h_cycle_a.NAMES
