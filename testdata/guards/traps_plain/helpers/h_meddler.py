from h_shared import NAMES

NAMES.add("TrapMeddled")
