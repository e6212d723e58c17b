"""Runs the worker from the source tree: `python3 -P -s -B engines/iota/engine.py`, from any directory.
Must not know anything but where the package lies. Parses on Python 3.6 and later."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "python"))

from iota_worker.main import main  # noqa: E402

if __name__ == "__main__":
    main()
