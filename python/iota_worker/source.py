"""What the text of a pack file says before it runs: its imports, and state it would keep between records.
Must not know which file an import resolves to, and must not run anything."""
from __future__ import annotations

import _ast as ast  # what the compiler itself makes: the module `ast` around it would be one more to open, maybe too late
from typing import Any

ONLY_TREE = ast.PyCF_ONLY_AST
STATE_MODULE = "panther_detection_helpers"
CONTAINER_CALLS = {"dict", "list", "set", "defaultdict", "Counter", "OrderedDict", "deque"}
MUTATORS = {"append", "appendleft", "add", "update", "extend", "insert", "setdefault", "pop", "popitem", "popleft",
            "remove", "discard", "clear"}


class Import:
    """`import name` (no `items`) or `from name import items`; `level` counts the leading dots."""

    __slots__ = ("items", "level", "line", "name")

    def __init__(self, name: str, level: int, line: int, items: tuple[str, ...] = ()) -> None:
        self.name = name
        self.level = level
        self.line = line
        self.items = items


class Source:
    """What a file says. `kept_state`: (line, message) for module-global state that would live on from one record to the
    next. Nothing of the tree is kept."""

    __slots__ = ("imports", "kept_state")

    def __init__(self, tree: ast.Module) -> None:
        self.imports: list[Import] = []
        functions: list[ast.AST] = []
        declared: set[str] = set()  # global, by some function
        changed: set[str] = set()  # in a way that would matter, were it a container or declared global
        for node in walk(tree):
            kind = node.__class__
            if kind not in _TELLING:
                continue
            if kind is ast.Import:
                self.imports += [Import(alias.name, 0, node.lineno) for alias in node.names]
            elif kind is ast.ImportFrom:
                items = tuple(alias.name for alias in node.names)
                self.imports.append(Import(node.module or "", node.level, node.lineno, items))
            elif kind is ast.Constant:
                if _names_state(node.value):
                    # `importlib.import_module("panther_detection_helpers.caching")`, maybe only when the rule runs.
                    self.imports.append(Import(node.value, 0, node.lineno))
            elif kind is ast.Global:
                declared.update(node.names)
            elif kind in _FUNCTIONS:
                functions.append(node)
            else:
                name = _augmented(node) or _changed(node)
                if name is not None:
                    changed.add(name)
        containers = _module_containers(tree)
        # Hardly any file goes further.
        self.kept_state = [] if changed.isdisjoint(containers | declared) else _kept_state(functions, containers)


def walk(root: ast.AST) -> list[Any]:
    """The node and all below it that can say something, level by level. A few values that are no nodes are among them."""
    nodes: list[Any] = [root]
    for node in nodes:  # grows on the way
        kind = node.__class__
        fields = _FIELDS.get(kind)
        if fields is None:
            fields = _FIELDS[kind] = tuple(name for name in getattr(kind, "_fields", ()) if name not in _SAY_NOTHING)
        for name in fields:
            value = getattr(node, name)
            if value.__class__ is list:
                nodes += value
            elif value is not None:
                nodes.append(value)
    return nodes


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_TELLING = {ast.Import, ast.ImportFrom, ast.Constant, ast.Global, *_FUNCTIONS, ast.AugAssign, ast.Call, ast.Subscript}
_SAY_NOTHING = {"ctx", "op", "ops", "id", "attr", "level", "module", "names", "type_comment", "type_ignores"}
_FIELDS: dict[type, tuple[str, ...]] = {ast.Constant: ()}


def _names_state(value: object) -> bool:
    return isinstance(value, str) and value in (STATE_MODULE, f"{STATE_MODULE}.caching")


def definition_line(tree: ast.Module, name: str) -> int | None:
    """The line of the last statement at the top level that binds `name`."""
    line = None
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names = {node.name}
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        else:
            names = {child.id for child in walk(node)
                     if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store)}
        if name in names:
            line = node.lineno
    return line


def _kept_state(functions: list[Any], containers: set[str]) -> list[tuple[int, str]]:
    bodies = [_Body(node) for node in functions]
    for body in bodies:  # a container that is made anew in a function is passed on, not kept
        containers -= body.shared & body.assigned
    warnings: dict[tuple[int, str], str] = {}
    for body in bodies:
        mutable = containers - (body.local - body.shared)
        for node in body.nodes:
            name = _augmented(node)
            if name not in body.shared:
                name = _changed(node)
                if name not in mutable:
                    continue
            warnings[node.lineno, name] = (
                f"`{name}` keeps its value between records, which is not supported: records are spread over "
                "several workers that may restart; use a threshold, unique() or the stateful helpers")
    return [(line, message) for (line, _), message in sorted(warnings.items())]


class _Body:
    """The nodes of a function and the names it declares global, binds by `=` and has as locals."""

    def __init__(self, function: Any) -> None:
        nodes = self.nodes = walk(function)
        self.shared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
        augmented = {id(node.target) for node in nodes if isinstance(node, ast.AugAssign)}
        self.assigned = {node.id for node in nodes
                         if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in augmented}
        self.local = self.assigned | {node.arg for node in nodes if isinstance(node, ast.arg)}


def _module_containers(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in tree.body:
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
            continue
        value = node.value
        called = value.func if isinstance(value, ast.Call) else None
        call = getattr(called, "id", getattr(called, "attr", None))
        literal = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)
        if isinstance(value, literal) or call in CONTAINER_CALLS:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def _augmented(node: Any) -> str | None:
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    return None


def _changed(node: Any) -> str | None:
    """The name of what a method call, an assignment to an item or its deletion changes."""
    owner: Any = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        owner = node.func.value
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del)):
        owner = node.value
    return owner.id if isinstance(owner, ast.Name) else None
