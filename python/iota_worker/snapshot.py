"""The files of a pack in memory, and the imports of pack code resolved among them; the disk is never asked.
Must not know what a rule is. A module is one file: whoever imports it, under whatever name, gets the same object."""
from __future__ import annotations

import builtins
import importlib
import importlib.util
import linecache
import posixpath
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .shims import PROVIDED

if TYPE_CHECKING:
    from .source import Import, Source

# Imported by the interpreter at run time, when it may be too late to open a file.
LATE_IMPORTS = ("_strptime", "unicodedata", "stringprep", "encodings.idna", "encodings.ascii", "encodings.latin_1",
                "encodings.utf_16", "encodings.utf_16_le", "encodings.utf_16_be", "encodings.utf_32",
                "encodings.punycode", "encodings.cp1252", "encodings.hex_codec", "encodings.raw_unicode_escape",
                "encodings.unicode_escape", "traceback", "linecache", "copy", "weakref", "heapq")
# Also imported late, but only by modules that a pack names: not by the undemanding ones, nor by what iota provides.
# `test_nothing_that_is_left_out_is_imported_late` searches the standard library for it.
LATE_IMPORTS_OF_OTHERS = ("zoneinfo", "ipaddress", "logging", "ast", "inspect", "dataclasses")
UNDEMANDING = frozenset({"__future__", "base64", "bisect", "collections", "collections.abc", "datetime", "enum", "fnmatch",
                         "functools", "hashlib", "itertools", "json", "math", "operator", "re", "string", "time"})
UNDEMANDING_TYPES = frozenset({"Any", "Callable", "Dict", "Iterable", "Iterator", "List", "Mapping", "Optional", "Sequence",
                               "Set", "TYPE_CHECKING", "Tuple", "Union"})
_IMPORTS_BY_OTHER_MEANS = re.compile(rb"__import__|__builtins__|import_module|__loader__|\b(?:exec|eval)\b")
# Modules that do something when they are imported: open a browser, print, run what they find.
NEVER_PREIMPORTED = frozenset({"antigravity", "idlelib", "test", "this", "turtledemo"})
# Modules that a worker may run on and has not always imported.
RESERVED = frozenset({"_ctypes", "_opcode", "_opcode_metadata", "_weakrefset", "ast", "copy", "ctypes", "dataclasses", "dis", "inspect", "ipaddress",
                      "opcode", "token", "tokenize", "weakref"})

# A node is the path of a file (`helpers/base.py`), or of a directory with a slash at the end (`helpers/aws/`);
# the empty string is the root of the pack.
Node = str


class Snapshot:
    """`prepared` is what `preparation` of another worker said of the same files: then none of them is parsed."""

    def __init__(self, files: Mapping[str, bytes], global_ids: Mapping[str, str],
                 prepared: Mapping[str, Any] | None = None) -> None:
        self.files = dict(files)
        self._prepared = prepared
        self._lines: dict[str, list[str]] = {}
        self.warnings: list[dict[str, Any]] = []
        self._global_ids = dict(global_ids)
        self._modules: dict[Node, ModuleType] = {}
        self._analysed: dict[str, Source] = {}
        self._unreadable: set[str] = set()  # files that cannot be parsed
        self._told: dict[str, list[dict[str, Any]]] = {}  # what parsing a file warned of
        self._outside: dict[str, None] = {}  # modules to import that are not of the pack, in order
        self._running: list[str] = []  # files whose top level runs, the innermost last
        self._seen_using_state: set[str] = set()  # files; the empty string when it could be any
        self._naming_state: set[str] | None = None  # files with an import statement of the stateful helpers
        self._by_name: set[str] = set()  # files imported through importlib, nobody knows by whom
        self._search: dict[str, list[str]] = {}
        self._found: dict[tuple[str, str], Node | None] = {}
        self._directories = {parent for path in self.files for parent in _parents(posixpath.dirname(path))}
        self._common = ["", "helpers"] + [posixpath.dirname(path) for path in self._global_ids.values()]
        # What the worker itself runs on is taken: a pack module of such a name would never be seen by `import`
        # in ordinary Python either, because the name is already in sys.modules.
        self._taken = frozenset(name.partition(".")[0] for name in sys.modules) | set(sys.builtin_module_names) | RESERVED
        if prepared is not None:
            self._taken = frozenset(prepared["taken"])  # names mean what they meant there
            self._unreadable.update(prepared["unreadable"])

    # ---- the text of the files

    def __contains__(self, path: object) -> bool:
        return path in self.files

    def get(self, path: str) -> list[str] | None:
        """The source lines of a file."""
        if path not in self._lines and path in self.files:
            self._lines[path] = _decode(self.files[path]).splitlines()
        return self._lines.get(path)

    def source(self, path: str) -> Source:
        """What the file says. Raises what the compiler raises, always as a SyntaxError of this path."""
        if path not in self._analysed:
            try:
                self._analysed[path] = self._read(path)
            except SyntaxError:
                self._unreadable.add(path)
                raise
        return self._analysed[path]

    def definition_line(self, path: str, name: str) -> int | None:
        """The line that binds a name of a module that was loaded. Parses the file: for what goes wrong."""
        from .source import ONLY_TREE, definition_line

        return definition_line(self._compile(path, [], ONLY_TREE), name)

    def _read(self, path: str) -> Source:
        from .source import ONLY_TREE, Source

        data = self.files[path]
        if b"\0" in data:
            line = data.count(b"\n", 0, data.index(b"\0")) + 1
            raise SyntaxError("source code cannot contain null bytes", (path, line, None, None))
        told: list[dict[str, Any]] = []
        try:
            return Source(self._compile(path, told, ONLY_TREE))
        finally:
            if told:
                self._told[path] = told
                self.warnings += told

    def _code(self, path: str) -> Any:
        """The compiled file. The compiler is asked once more what it says of the whole; what it said before is not news."""
        if self._prepared is None or path in self._unreadable:
            self.source(path)
        told: list[dict[str, Any]] = []
        try:
            return self._compile(path, told)
        finally:
            if told and self._prepared is None:
                before = self._told.get(path, ())
                self.warnings += [warning for warning in told if warning not in before]

    def _compile(self, path: str, told: list[dict[str, Any]], flags: int = 0) -> Any:
        try:
            with _Recorded(told):
                return compile(self.files[path], path, "exec", flags, dont_inherit=True)
        except (RecursionError, MemoryError) as exc:
            raise SyntaxError(f"too deeply nested for the compiler ({type(exc).__name__})",
                              (path, 1, None, None)) from None
        except SyntaxError as exc:  # an encoding that cannot be read comes without a place
            exc.filename, exc.lineno = path, exc.lineno or 1
            raise

    def forget_sources(self) -> None:
        """Frees what only loading needs."""
        self._analysed.clear()
        self._told.clear()

    # ---- resolving names

    def find(self, name: str, directory: str) -> Node | None:
        """The pack module that `import name` (no dots) means in a file of `directory`, or None."""
        key = (directory, name)
        if key not in self._found:
            self._found[key] = None if name in self._taken else self._find(name, self._path(directory))
        return self._found[key]

    def _find(self, name: str, directories: list[str]) -> Node | None:
        for directory in directories:
            base = posixpath.join(directory, name)
            if f"{base}/__init__.py" in self.files:
                return f"{base}/"
            if f"{base}.py" in self.files:
                return f"{base}.py"
        if name in self._global_ids:
            return self._global_ids[name]
        for directory in directories:  # like Python, a directory without __init__.py counts last
            if posixpath.join(directory, name) in self._directories:
                return posixpath.join(directory, name) + "/"
        return None

    def _path(self, directory: str) -> list[str]:
        """The directories searched from `directory`: itself, its parents, helpers/, those of global items."""
        if directory not in self._search:
            self._search[directory] = list(dict.fromkeys([*_parents(directory), *self._common]))
        return self._search[directory]

    def _child(self, parent: Node, name: str) -> Node | None:
        if not _is_directory(parent):
            return None
        if f"{parent}{name}/__init__.py" in self.files:
            return f"{parent}{name}/"
        if f"{parent}{name}.py" in self.files:
            return f"{parent}{name}.py"
        return f"{parent}{name}/" if f"{parent}{name}" in self._directories else None

    def imported(self, path: str, statement: Import) -> Iterator[Node]:
        """The pack modules an import statement of a file names."""
        directory = posixpath.dirname(path)
        parts = statement.name.split(".") if statement.name else []
        if statement.level:
            node: Node | None = _package(directory, statement.level)
        elif parts:
            node = self.find(parts.pop(0), directory)
        else:
            node = None
        while node is not None:
            yield node
            if not parts:
                break
            node = self._child(node, parts.pop(0))
        if node is not None and not parts:
            for item in statement.items:
                child = self._child(node, item)
                if child is not None:
                    yield child

    # ---- importing

    def install(self) -> None:
        """Routes the imports of pack code here; everybody else's imports stay as they are."""
        self._original_import, builtins.__import__ = builtins.__import__, self._import
        sys.meta_path.append(_ByName(self))

    def load(self, node: Node) -> ModuleType:
        """The module of a file or directory of the pack, run on first use."""
        if node in self._modules:
            return self._modules[node]
        path = _file_of(node)
        # The slash keeps the name apart from every module that Python could find elsewhere.
        module = ModuleType("pack/" + node.rstrip("/").removesuffix(".py"))
        module.__spec__ = ModuleSpec(module.__name__, None, origin=path)
        module.__package__ = posixpath.dirname(path)
        if _is_directory(node):
            module.__path__ = []  # type: ignore[attr-defined]
        if path not in self.files:
            self._modules[node] = module
            return module
        module.__file__ = path
        code = self._code(path)
        lines = self.get(path)
        linecache.cache[path] = (len(self.files[path]), None, [line + "\n" for line in lines], path)
        self._modules[node] = sys.modules[module.__name__] = module
        self._running.append(path)
        try:
            exec(code, module.__dict__)
        except BaseException:
            # As in ordinary Python, a module that failed is not there: the next import runs it again.
            del self._modules[node]
            sys.modules.pop(module.__name__, None)
            raise
        finally:
            self._running.pop()
        return module

    def _import(self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        importer = globals.get("__file__") if isinstance(globals, dict) else None
        if not isinstance(importer, str) or importer not in self.files:
            return self._original_import(name, globals, locals, fromlist, level)
        directory = posixpath.dirname(importer)
        parts = name.split(".") if name else []
        if level:
            node = _package(directory, level)
            if node is None:
                raise ImportError("attempted relative import beyond the top of the pack")
        else:
            found = self.find(parts[0], directory)
            if found is None:
                return self._original_import(name, globals, locals, fromlist, level)
            node = found
            parts.pop(0)
        first = module = self.load(node)
        for part in parts:
            child = self._child(node, part)
            if child is None:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            below = self.load(child)
            setattr(module, part, below)
            node, module = child, below
        if not fromlist:
            return first
        wanted = getattr(module, "__all__", ()) if "*" in fromlist else fromlist
        for item in wanted:
            if not hasattr(module, item):
                child = self._child(node, item)
                if child is not None:
                    setattr(module, item, self.load(child))
        return module

    # ---- before any pack code runs

    def preimport(self) -> None:
        """Imports every module that an import statement of the pack names and that is not of the pack.

        Afterwards the pack can run without opening a file. A module that cannot be imported is left alone:
        the rule that imports it will say so itself.
        """
        self._outside = dict.fromkeys(self._named_outside() if self._prepared is None else self._prepared["imports"])
        for name in self._outside:
            if name not in sys.modules and _is_inert(name) and _importable(name):
                try:
                    importlib.import_module(name)
                except BaseException:
                    pass

    def _named_outside(self) -> Iterator[str]:
        yield from LATE_IMPORTS
        demanding = any(map(_IMPORTS_BY_OTHER_MEANS.search, self.files.values()))
        for path in self.files:
            for statement in self._statements(path):
                if statement.level or not statement.name:
                    continue
                top = statement.name.partition(".")[0]
                self._note_shadowing(path, statement, top)
                if self.find(top, posixpath.dirname(path)) is None and top not in NEVER_PREIMPORTED:
                    demanding |= _is_demanding(statement)
                    yield statement.name
                    yield from (f"{statement.name}.{item}" for item in statement.items if item != "*")
        if demanding:
            yield from LATE_IMPORTS_OF_OTHERS

    def preparation(self) -> dict[str, Any]:
        """What another worker of the same files needs to know, so that it does not have to read them."""
        return {"imports": list(self._outside), "taken": sorted(self._taken), "unreadable": sorted(self._unreadable)}

    def _note_shadowing(self, path: str, statement: Import, name: str) -> None:
        if name not in sys.stdlib_module_names and name not in self._taken:
            return
        own = self._find(name, self._path(posixpath.dirname(path)))
        if own is None or own not in self.files:
            return
        winner = "the module of that name that iota runs on wins" if name in self._taken else f"{own} wins"
        warning = {"path": path, "line": statement.line,
                   "message": f"`{name}` is both {own} and a module of Python or iota: {winner}"}
        if warning not in self.warnings:
            self.warnings.append(warning)

    def _statements(self, path: str) -> list[Import]:
        if path in self._unreadable:
            return []  # reported by the rule that imports it
        try:
            return self.source(path).imports
        except SyntaxError:
            return []

    # ---- who uses the stateful helpers

    def note_state_use(self) -> None:
        """The stateful helpers were imported or looked at, by whatever means: by the file that is being run."""
        self._seen_using_state.add(self._running[-1] if self._running else "")

    def note_import_by_name(self, node: Node) -> None:
        self._by_name.add(_file_of(node))

    def hides_state(self) -> bool:
        """Whether state is used where import statements do not tell by which rules: it may then be any."""
        return "" in self._seen_using_state or any(self.keeps_state(path) for path in self._by_name)

    def keeps_state(self, path: str) -> bool:
        """Whether the file, or a pack module its import statements name, uses the stateful helpers."""
        if self._naming_state is None:
            from .source import STATE_MODULE

            self._naming_state = {file for file in self.files for statement in self._statements(file)
                                  if not statement.level and statement.name.partition(".")[0] == STATE_MODULE}
        using = self._naming_state | self._seen_using_state
        if not using:
            return False
        seen: set[str] = set()
        waiting = [path]
        while waiting:
            current = waiting.pop()
            if current in seen or current not in self.files:
                continue
            if current in using:
                return True
            seen.add(current)
            for statement in self._statements(current):
                waiting += map(_file_of, self.imported(current, statement))
        return False


class _ByName:
    """Serves `importlib.import_module("name")` in pack code, which does not say who asks: common directories only."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        node = self._snapshot.find(name, "") if "." not in name else None
        if node is None:
            return None
        self._snapshot.note_import_by_name(node)
        return ModuleSpec(name, self, origin=node)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._snapshot.load(spec.origin)  # type: ignore[arg-type]

    def exec_module(self, module: ModuleType) -> None:
        """It ran when it was loaded."""


class _Recorded(warnings.catch_warnings):
    """Turns what the compiler warns of into warnings of the load report."""

    def __init__(self, report: list[dict[str, Any]]) -> None:
        super().__init__(record=True)
        self._report = report

    def __enter__(self) -> Any:
        self._caught = super().__enter__()
        warnings.simplefilter("always")
        return self._caught

    def __exit__(self, *exc_info: Any) -> None:
        super().__exit__(*exc_info)
        for item in self._caught or ():
            self._report.append({"path": item.filename, "line": item.lineno, "message": str(item.message)[:500]})


def _parents(directory: str) -> list[str]:
    """`a/b` -> `a/b`, `a`, the root."""
    found = []
    while directory:
        found.append(directory)
        directory = posixpath.dirname(directory)
    return [*found, ""]


def _package(directory: str, level: int) -> Node | None:
    for _ in range(level - 1):
        if not directory:
            return None
        directory = posixpath.dirname(directory)
    return f"{directory}/" if directory else ""


def _is_directory(node: Node) -> bool:
    return not node or node.endswith("/")


def _file_of(node: Node) -> str:
    return f"{node}__init__.py" if _is_directory(node) else node


def _is_demanding(statement: Import) -> bool:
    """Whether what a statement imports may itself import something as late as when it is used."""
    if statement.name == "typing":
        return not UNDEMANDING_TYPES.issuperset(statement.items or ("everything",))
    return statement.name not in UNDEMANDING and statement.name.partition(".")[0] not in PROVIDED


def _is_inert(name: str) -> bool:
    """Importing it does nothing else. Asked of every name, whoever has prepared them."""
    return name.partition(".")[0] not in NEVER_PREIMPORTED and "__main__" not in name.split(".")


def _importable(name: str) -> bool:
    """False for `from json import loads`: `json` is there and `json.loads` is no module."""
    parent, _, item = name.rpartition(".")
    if not parent:
        return True
    owner = sys.modules.get(parent)
    return owner is None or (hasattr(owner, "__path__") and not hasattr(owner, item))


def _decode(data: bytes) -> str:
    if data.isascii() and b"coding" not in data:  # nearly always
        return data.decode("ascii")
    try:
        return importlib.util.decode_source(data)
    except (SyntaxError, UnicodeDecodeError):
        return data.decode("utf-8", "replace")
