NAMES = {"TrapCycle"}
import h_cycle_b  # noqa: E402

NAMES = {"StopLogging"}
WANTED = h_cycle_b.COPIED
