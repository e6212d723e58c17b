"""Passed to `python3 -c`: reads the frame `W` (module name -> source) from descriptor 0 and starts the worker.
Must not know what the modules do, nor read one byte past that frame. Parses on Python 3.6 and later."""
import sys
# Interpreters that are too old for PYTHONSAFEPATH look in the current directory, which may be that of a pack.
sys.path[:] = [entry for entry in sys.path if entry]
import json, os, struct
from importlib.machinery import ModuleSpec


def exactly(count):
    data = b""
    while len(data) < count:
        chunk = os.read(0, count - len(data))
        if not chunk:
            os._exit(0)
        data += chunk
    return data


class InMemory:
    def __init__(self, sources):
        self.sources = sources

    def find_spec(self, name, path=None, target=None):
        if name in self.sources:
            package = any(other.startswith(name + ".") for other in self.sources)
            return ModuleSpec(name, self, origin="<" + name + ">", is_package=package)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(compile(self.sources[module.__name__], "<" + module.__name__ + ">", "exec"), module.__dict__)


frame = exactly(struct.unpack("<I", exactly(4))[0])
if frame[:1] != b"W":
    os._exit(2)
sys.meta_path.insert(0, InMemory(json.loads(frame[1:].decode("utf-8"))))
del frame

from iota_worker.main import main

main()
