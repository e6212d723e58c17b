"""What the text of a pack file says before it runs: its imports, and state it would keep between records.
Must not know which file an import resolves to, and must not run anything."""
from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

STATE_MODULE = "panther_detection_helpers"
CONTAINER_CALLS = {"dict", "list", "set", "defaultdict", "Counter", "OrderedDict", "deque"}
MUTATORS = {"append", "appendleft", "add", "update", "extend", "insert", "setdefault", "pop", "popitem", "popleft",
            "remove", "discard", "clear"}


@dataclass(frozen=True)
class Import:
    """`import name` (no `items`) or `from name import items`; `level` counts the leading dots."""

    name: str
    level: int
    line: int
    items: tuple[str, ...] = ()


@dataclass
class Source:
    """A parsed file, walked once."""

    tree: ast.Module
    imports: list[Import] = field(default_factory=list)
    functions: list[ast.AST] = field(default_factory=list)
    has_globals: bool = False

    @classmethod
    def read(cls, tree: ast.Module) -> Source:
        found = cls(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found.imports += [Import(alias.name, 0, node.lineno) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                items = tuple(alias.name for alias in node.names)
                found.imports.append(Import(node.module or "", node.level, node.lineno, items))
            elif isinstance(node, ast.Constant) and _names_state(node.value):
                # `importlib.import_module("panther_detection_helpers.caching")`, maybe only when the rule runs.
                found.imports.append(Import(node.value, 0, node.lineno))
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found.functions.append(node)
            elif isinstance(node, ast.Global):
                found.has_globals = True
        return found


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
            names = {child.id for child in ast.walk(node)
                     if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store)}
        if name in names:
            line = node.lineno
    return line


def kept_state(source: Source) -> list[tuple[int, str]]:
    """(line, message) for module-global state that would live on from one record to the next."""
    containers = _module_containers(source.tree)
    if not containers and not source.has_globals:
        return []
    functions = [_Body.of(node) for node in source.functions]
    for body in functions:  # a container that is made anew in a function is passed on, not kept
        containers -= body.shared & body.assigned
    warnings: dict[tuple[int, str], str] = {}
    for body in functions:
        mutable = containers - (body.local - body.shared)
        for node in body.nodes:
            name = _augmented(node) if _augmented(node) in body.shared else _mutated(node, mutable)
            if name is not None:
                warnings[node.lineno, name] = (
                    f"`{name}` keeps its value between records, which is not supported: records are spread over "
                    "several workers that may restart; use a threshold, unique() or the stateful helpers")
    return [(line, message) for (line, _), message in sorted(warnings.items())]


@dataclass
class _Body:
    """The nodes of a function and the names it declares global, binds by `=` and has as locals."""

    nodes: list[Any]
    shared: set[str]
    assigned: set[str]
    local: set[str]

    @classmethod
    def of(cls, function: ast.AST) -> _Body:
        nodes = list(ast.walk(function))
        shared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
        augmented = {id(node.target) for node in nodes if isinstance(node, ast.AugAssign)}
        assigned = {node.id for node in nodes
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in augmented}
        return cls(nodes, shared, assigned, assigned | {node.arg for node in nodes if isinstance(node, ast.arg)})


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


def _augmented(node: ast.AST) -> str | None:
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    return None


def _mutated(node: ast.AST, names: set[str]) -> str | None:
    owner: ast.expr | None = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        owner = node.func.value
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del)):
        owner = node.value
    return owner.id if isinstance(owner, ast.Name) and owner.id in names else None
