"""Random rules and records for `soundness.py`: small, over the operations that the analysis of rules follows, with values
from one small pool, so that branches are taken. Must not know how they are run."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from soundness_expressions import ADDRESSES, NETWORKS, expressions  # noqa: E402

KEYS = ["eventName", "eventSource", "errorCode", "x", "y", "n", "list"]
INNER = ["type", "n", "a", "list"]
OUTER = ["userIdentity", "requestParameters", "o"]
TEXTS = ["", "a", "b", "ab", "A", "Ab", "a:b", "a,b", "Get", "GetX", " a ", "1", "ä", "aa"]
PATTERNS = ["a", "^a", "a$", "[ab]+", "a|b", "a.*b", "^Get", "(?:a|A)b?", r"\d", r"\w+", "a{2}", "b*", r"a\.b", "[^a]"]
GLOBS = ["a*", "*b", "?", "*", "Get*", "a?", "a*b*", ""]


def literal(rng: random.Random) -> str:
    return rng.choice([repr(rng.choice(TEXTS)), repr(rng.choice(TEXTS)), repr(rng.choice(TEXTS)), "0", "1", "2", "-1", "True",
                       "False", "None", "1.0", "0.5", "[]", "{}", "()", "['a', 'b']", "('a', 1)", "{'a': 1}"])


def value(rng: random.Random, depth: int = 2) -> Any:
    kind = rng.random()
    if kind < 0.6 or depth == 0 and kind > 0.85:
        return rng.choice(TEXTS)
    if kind < 0.68:
        return None
    if kind < 0.85:
        return rng.choice([0, 1, 2, -1, True, False, 1.0, 0.0, 0.5, 2**53, 2**53 + 1, 2**70, -(2**63), 1e300, 5, 3])
    if kind < 0.93:
        return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {rng.choice(INNER): value(rng, depth - 1) for _ in range(rng.randrange(3))}


def record(rng: random.Random, number: int) -> str:
    found: dict[str, Any] = {"eventID": f"generated-{number}", "eventTime": "2024-01-01T00:00:00Z"}
    usual = rng.random() < 0.6
    if rng.random() < 0.3:  # nothing but texts
        found |= {key: rng.choice(TEXTS) for key in KEYS if key != "list" and rng.random() < 0.9}
        found |= {key: {name: rng.choice(TEXTS) for name in INNER if rng.random() < 0.9} for key in OUTER}
        return json.dumps(found | {"list": rng.sample(TEXTS, 3)})
    for key in KEYS:
        if usual and key in ("eventName", "eventSource", "errorCode"):
            found[key] = rng.choice(TEXTS)
        elif rng.random() < 0.8:
            name = key if rng.random() < 0.97 else rng.choice([key.lower(), key.upper(), key + "ä"])
            found[name] = [value(rng, 1) for _ in range(rng.randrange(4))] if key == "list" and rng.random() < 0.7 else value(rng)
    for owner in (found, found.get("userIdentity"), found.get("o")):
        if isinstance(owner, dict) and rng.random() < 0.7:
            owner["address"] = rng.choice([*ADDRESSES, *NETWORKS, value(rng)])
    for key in OUTER:
        if rng.random() < 0.85:
            inner = {name: value(rng, 1) for name in INNER if rng.random() < 0.8}
            found[key] = inner if usual or rng.random() < 0.7 else value(rng)
    text = json.dumps(found, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.05:
        text = text.replace('"eventName"', '"\\u0065ventName"')
    if rng.random() < 0.05:
        text = text[:-1] + f', "{rng.choice(KEYS)}": {json.dumps(value(rng))}}}'
    return text


class Rule:
    """Writes the functions of one module."""

    def __init__(self, rng: random.Random, constants: dict[str, str], helpers: list[tuple[str, str]], calm: bool) -> None:
        self.rng = rng
        self.calm = calm  # asks for texts only, and seldom raises
        self.constants = constants  # name -> "text" | "list" | "set" | "dict" | "number"
        self.helpers = helpers  # (how it is called, form of its parameters)
        self.locals: list[str] = []
        self.fresh = 0

    def pick(self, *options: Any) -> str:
        """One of the texts; a function is called for it."""
        option = self.rng.choice(options)
        return option() if callable(option) else option

    def constant(self, *kinds: str) -> str:
        names = [name for name, kind in self.constants.items() if kind in kinds]
        return self.rng.choice(names) if names else {"text": "'a'", "number": "1", "dict": "{'a': 1}"}.get(kinds[0], "['a', 'b']")

    def name(self) -> str:
        self.fresh += 1
        return self.rng.choice(["v", "w", "name", "found"]) if self.rng.random() < 0.5 else f"v{self.fresh}"

    def local(self) -> str:
        return self.rng.choice(self.locals) if self.locals else "event.get('x')"

    # ---- values

    def field(self) -> str:
        r = self.rng
        key, outer, inner = r.choice(KEYS), r.choice(OUTER), r.choice(INNER)
        key = r.choice([key, "eventName", "errorCode"])
        if self.calm or r.random() < 0.5:
            if self.calm or r.random() < 0.3:
                return r.choice([f"event.get({key!r}, '')", f"str(event.get({key!r}))", f"event.deep_get({outer!r}, {inner!r}, default='')"])
            return r.choice([f"event.get({key!r}, '')", f"event.deep_get({outer!r}, {inner!r}, default='')", f"event.get({key!r})"])
        return r.choice([
            f"event.get({key!r})", f"event.get({key!r}, {literal(r)})", f"event.get({key!r}, '')", f"event.get({key!r}, '')",
            f"event[{key!r}]", f"event.deep_get({outer!r}, {inner!r})", f"event.deep_get({outer!r}, {inner!r}, default={literal(r)})",
            f"event.deep_get({outer!r}, {inner!r}, default='')", f"event.get({outer!r}, {{}}).get({inner!r})",
            f"(event.get({outer!r}) or {{}}).get({inner!r}, {literal(r)})", f"event.get({outer!r})[{inner!r}]",
        ])

    def any(self, d: int) -> str:
        r = self.rng
        if self.calm and r.random() < 0.5:
            return self.text(d)
        if d <= 0:
            return self.pick(self.field, self.field, self.local, lambda: literal(r))
        return self.pick(
            self.field, self.field, self.local, lambda: self.text(d - 1), lambda: self.number(d - 1), lambda: self.test(d - 1),
            lambda: self.list(d - 1), lambda: f"({self.any(d - 1)} or {self.any(d - 1)})",
            lambda: f"({self.any(d - 1)} and {self.any(d - 1)})",
            lambda: f"({self.any(d - 1)} if {self.test(d - 1)} else {self.any(d - 1)})",
            lambda: f"{self.list(d - 1)}[{r.choice([0, 1, -1, -2, 2])}]",
            lambda: f"{self.constant('dict')}.get({self.any(d - 1)}, {literal(r)})",
            lambda: f"{self.constant('dict')}[{self.any(d - 1)}]",
            lambda: f"next(({self.generator(d - 1)}), {literal(r)})", lambda: self.helper(d - 1), self.walk, lambda: self.dispatch(d - 1),
            lambda: self.walrus(d - 1), lambda: f"({self.any(d - 1)}, {self.any(d - 1)})",
            lambda: f"(lambda q: {self.with_local('q', lambda: self.any(d - 1))})", lambda: self.carried(d - 1),
        )

    def carried(self, d: int) -> str:
        """A call of a function that comes out of a tuple."""
        body = self.any(d)
        return self.rng.choice([f"call_first(make_first({body}))", f"make_first({body})[0]()", f"pack_all(lambda: {body})[0]()",
                                f"call_first(pack_all(lambda: {body}))", f"call_first([lambda: {body}])", f"call_with(lambda v: {body}, {self.any(d)})"])

    def walk(self) -> str:
        r = self.rng
        names = r.choice([f"'list', {r.choice(INNER)!r}", f"'list', {r.choice(INNER)!r}", "'list'", f"{r.choice(OUTER)!r}, {r.choice(INNER)!r}",
                          f"'o', 'list', {r.choice(INNER)!r}"])
        more = r.choice(["", "", ", default=[]", ", default=''", f", default={literal(r)}"])
        return f"event.deep_walk({names}{more}{r.choice(['', '', ', return_val=' + repr(r.choice(['all', 'first', 'last']))])})"

    def dispatch(self, d: int) -> str:
        """A call of a function in a dict."""
        of = [f"CALLS[{self.any(d)}]", f"CALLS.get({self.any(d)}, first_call)", f"CALLS.get(event.get('eventName'), first_call)"]
        return f"{self.rng.choice(of)}({self.any(d)})"

    def walrus(self, d: int) -> str:
        name = self.name()
        text = f"({name} := {self.any(d)})"
        self.locals.append(name)
        return text

    def with_local(self, name: str, make: Any) -> str:
        before = list(self.locals)
        self.locals += [name] * 4
        text = make()
        self.locals = before
        return text

    def helper(self, d: int) -> str:
        if not self.helpers:
            return self.any(d)
        call, form = self.rng.choice(self.helpers)
        a, b, c = self.any(d), self.any(d), self.any(d)
        if form == "event":
            return f"{call}(event)"
        return self.rng.choice([f"{call}({a}, {b})", f"{call}({a})", f"{call}({a}, b={b})", f"{call}(a={a})", f"{call}({a}, {b}, {c})",
                                f"{call}(*{self.list(d)})", f"{call}({a}, *{self.list(0)})"])

    def text(self, d: int) -> str:
        r = self.rng
        if d <= 0:
            texts = [lambda: repr(r.choice(TEXTS)), lambda: f"event.get({r.choice(KEYS[:4])!r}, '')", self.field, lambda: self.constant("text")]
            return self.pick(*texts) if self.calm else self.pick(*texts, self.local)
        t = lambda: self.text(d - 1)  # noqa: E731
        word = lambda: repr(r.choice(TEXTS))  # noqa: E731
        return self.pick(
            t, lambda: f"{t()}.lower()", lambda: f"{t()}.upper()", lambda: f"{t()}.casefold()",
            lambda: f"{t()}.{r.choice(['strip', 'lstrip', 'rstrip'])}({r.choice(['', word()])})",
            lambda: f"{t()}.replace({word()}, {word()})", lambda: f"{t()}.{r.choice(['removeprefix', 'removesuffix'])}({word()})",
            lambda: f"{t()}[{r.choice(['', '0', '1', '-1', '5'])}:{r.choice(['', '1', '2', '-1', '-5', self.constant('number')])}]",
            lambda: f"{t()}[{r.choice(['0', '-1', '1', '3'])}]",
            lambda: f"{t()}.{r.choice(['split', 'rsplit'])}({word()}{r.choice(['', ', 1', ', 0', ', -1', ', 2'])})[{r.choice([0, -1, 1])}]",
            lambda: f"f'{{{self.any(d - 1)}}}:{{{self.any(0)}}}'" if self.quotable(d) else t(),
            lambda: f"{t()} + {t()}", lambda: f"str({self.any(d - 1)})", lambda: f"{word()}.join({self.list(d - 1)})",
            lambda: f"({self.any(d - 1)} or {word()})",
        )

    def quotable(self, d: int) -> bool:
        return False  # nested quotes in f-strings need Python 3.12: they are made from locals, in `statement`

    def number(self, d: int) -> str:
        r = self.rng
        if d <= 0:
            return self.pick("0", "1", "2", "-1", "True", lambda: self.constant("number"), "event.get('n')", "event.get('n', 0)")
        return self.pick(
            lambda: self.number(0), lambda: f"len({self.text(d - 1)})", lambda: f"len({self.list(d - 1)})",
            lambda: f"{self.text(d - 1)}.{r.choice(['find', 'count'])}({r.choice(TEXTS)!r})",
            lambda: f"({self.number(d - 1)} {r.choice('+-')} {self.number(d - 1)})", lambda: f"-{self.number(d - 1)}",
        )

    def list(self, d: int) -> str:
        r = self.rng
        if d <= 0:
            return self.pick(lambda: self.constant("list", "set", "dict"), "event.get('list', [])", "event.get('list') or []",
                             lambda: f"[{literal(r)}, {self.field()}]", "('a', 'b')", "event.get('o', {})").join("()")
        return self.pick(
            lambda: self.list(0), lambda: self.list(0), lambda: f"[{self.any(d - 1)}, {self.any(d - 1)}]",
            lambda: f"({self.any(d - 1)}, {self.any(d - 1)})", lambda: f"{self.text(d - 1)}.split({r.choice(TEXTS)!r})",
            lambda: f"sorted({self.list(d - 1)})", lambda: f"list({self.list(d - 1)})", lambda: f"tuple({self.list(d - 1)})",
            lambda: f"[{self.generator(d - 1)}]", lambda: f"list({self.generator(d - 1)})",
            lambda: f"{self.constant('dict')}.{r.choice(['keys', 'values', 'items'])}()",
            lambda: f"({self.list(d - 1)} + {self.list(d - 1)})", lambda: f"set({self.list(d - 1)})",
            lambda: f"[*{self.constant('set', 'list')}]", lambda: f"(*{self.constant('set', 'dict')},)",
            lambda: f"{{*{self.constant('set', 'list')}, *{self.constant('set')}}}",
            lambda: f"({self.constant('set')} {r.choice(['&', '|', '-'])} {self.constant('set')})",
        )

    def generator(self, d: int) -> str:
        r = self.rng
        name, items = r.choice(["i", "j", "v", "q"]), self.list(d)

        def inside() -> str:
            element = self.test(d) if r.random() < 0.5 else self.any(d)
            condition = f" if {self.test(d)}" if r.random() < 0.4 else ""
            if r.random() < 0.15:
                other = r.choice(["k", name])
                return self.with_local(other, lambda: f"{element} for {name} in {items} for {other} in {self.list(0)}{condition}")
            return f"{element} for {name} in {items}{condition}"

        return self.with_local(name, inside)

    # ---- conditions

    def test(self, d: int) -> str:
        r = self.rng
        word = lambda: repr(r.choice(TEXTS))  # noqa: E731
        simple = [
            lambda: f"{self.field()} {r.choice(['==', '==', '==', '!='])} {literal(r)}",
            lambda: f"event.get('eventName') in {self.constant('list', 'set', 'dict')}",
            lambda: f"{self.field()} {r.choice(['in', 'in', 'not in'])} {self.constant('set', 'list', 'dict', 'text')}",
            lambda: f"event.get('eventName', '').startswith({r.choice([word(), '(' + word() + ', ' + word() + ')'])})",
            lambda: f"{self.field()} is {r.choice(['', 'not '])}{r.choice(['None', 'True', 'False'])}",
            lambda: f"{self.local()} == {word()}",
        ]
        if d <= 0:
            return self.pick(*simple)
        a = lambda: self.any(d - 1)  # noqa: E731
        t = lambda: self.test(d - 1)  # noqa: E731
        compare = lambda: r.choice(["==", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "is", "is not"])  # noqa: E731
        return self.pick(
            *simple, lambda: f"({t()} and {t()})", lambda: f"({t()} or {t()})", lambda: f"not {t()}", lambda: f"({a()} {compare()} {a()})",
            lambda: f"({a()} {compare()} {a()} {compare()} {a()})", lambda: f"({a()} in {self.list(d - 1)})",
            lambda: f"({self.text(d - 1)} in {self.text(d - 1)})", lambda: f"({self.number(d - 1)} {compare()} {self.number(d - 1)})",
            lambda: f"{self.text(d - 1)}.{r.choice(['startswith', 'endswith'])}({r.choice([self.text(0), '(' + word() + ', ' + a() + ')'])})",
            lambda: f"{r.choice(['any', 'all'])}({self.generator(d - 1)})",
            lambda: f"{r.choice(['any', 'all'])}([{self.generator(d - 1)}])", lambda: f"{r.choice(['any', 'all'])}({self.list(d - 1)})",
            lambda: f"isinstance({a()}, {r.choice(['str', 'int', 'dict', 'list', '(str, int)', 'bool', 'float', '(list, tuple)', 'Mapping'])})",
            lambda: f"bool(re.{r.choice(['match', 'search', 'fullmatch'])}({r.choice(PATTERNS)!r}, {self.text(d - 1)}))",
            lambda: f"bool(PATTERN.{r.choice(['match', 'search', 'fullmatch'])}({self.text(d - 1)}))",
            lambda: f"fnmatch({self.text(d - 1)}, {r.choice(GLOBS)!r})", lambda: f"bool({a()})", lambda: f"{self.text(d - 1)}.isdigit()",
            lambda: f"({t()} if {t()} else {t()})", lambda: self.helper(d - 1), lambda: f"({a()} == {a()})",
        )

    # ---- statements

    def block(self, depth: int, indent: str, loop: bool = False) -> list[str]:
        lines: list[str] = []
        for _ in range(self.rng.randrange(1, 3)):
            lines += self.statement(depth, indent, loop)
        return lines

    def result(self) -> str:
        return self.rng.choice(["False", "False", "False", "True", self.test(1), self.test(1)])

    def statement(self, depth: int, indent: str, loop: bool) -> list[str]:
        r = self.rng
        kind = r.randrange(22)
        deeper = indent + "    "
        if depth <= 0 or kind < 5:
            if loop and r.random() < 0.5:
                return [f"{indent}if {self.test(1)}:", f"{deeper}{r.choice(['break', 'continue', 'return ' + self.result()])}"]
            return [f"{indent}if {self.test(2)}:", f"{deeper}return {self.result()}"]
        if kind < 9:
            text = self.any(2)
            if r.random() < 0.25 and self.locals:
                text = f"f'{{{r.choice(self.locals)}}}{r.choice([':', '', 'a'])}{{{r.choice(self.locals)}}}'"
            name = self.name()
            self.locals.append(name)
            return [f"{indent}{name} = {text}"]
        if kind < 12:
            lines = [f"{indent}if {self.test(2)}:", *self.block(depth - 1, deeper, loop)]
            if r.random() < 0.4:
                lines += [f"{indent}elif {self.test(1)}:", *self.block(depth - 1, deeper, loop)]
            if r.random() < 0.4:
                lines += [f"{indent}else:", *self.block(depth - 1, deeper, loop)]
            return lines
        if kind < 14:
            name = self.name()
            head = f"{indent}for {name} in {self.list(1)}:"
            self.locals.append(name)
            lines = [head, *self.block(depth - 1, deeper, True)]
            if r.random() < 0.3:
                lines += [f"{indent}else:", *self.block(depth - 1, deeper, loop)]
            return lines
        if kind == 14:
            caught = r.choice(["KeyError", "TypeError", "AttributeError", "(KeyError, IndexError)", "Exception", "LookupError", "ValueError"])
            lines = [f"{indent}try:", *self.block(depth - 1, deeper, loop), f"{indent}except {caught}:", *self.block(depth - 1, deeper, loop)]
            return lines + ([f"{indent}else:", *self.block(depth - 1, deeper, loop)] if r.random() < 0.3 else [])
        if kind == 15:
            lines = [f"{indent}match {self.any(1)}:"]
            for _ in range(r.randrange(1, 3)):
                pattern = r.choice(["'a'", "'a' | 'b'", "None", "True", "1", "'Get' | None", "''"])
                condition = f" if {self.test(1)}" if r.random() < 0.3 else ""
                lines += [f"{deeper}case {pattern}{condition}:", *self.block(depth - 1, deeper + "    ", loop)]
            if r.random() < 0.5:
                name = self.name()
                self.locals.append(name)
                lines += [f"{deeper}case {r.choice(['_', name])}:", *self.block(depth - 1, deeper + "    ", loop)]
            return lines
        if kind == 16:
            name = r.choice(["inner", "check"])
            body = self.with_local("p", lambda: "\n".join([*self.block(0, deeper), f"{deeper}return {self.any(1)}"]))
            annotations = [("", ""), ("", ""), (": str", " -> bool"), (": list[str]", ""), (": 'Missing'", " -> None"), (": str | None", "")]
            parameter, result = r.choice([*annotations, (": Missing", ""), ("", " -> Missing[str]"), (": 'a' | None", "")] if r.random() < 0.2 else annotations)
            lines = [f"{indent}def {name}(p{parameter}){result}:", body]
            return [*lines, f"{indent}if {name}({self.any(1)}) {r.choice(['==', '!='])} {literal(r)}:", f"{deeper}return {self.result()}"]
        if kind == 17:
            lines = [f"{indent}pick = lambda p: {self.with_local('p', lambda: self.any(2))}"]
            return [*lines, f"{indent}if pick({self.any(1)}):", f"{deeper}return {self.result()}"]
        if kind == 18:
            first, second = self.name(), self.name()
            text = r.choice([self.list(1), f"({self.any(1)}, {self.any(1)})"])
            self.locals += [first, second]
            return [f"{indent}{first}, {second} = {text}"]
        if kind >= 20:
            return self.building(depth, indent)
        name = self.local()
        if not name.isidentifier():
            return [f"{indent}print({self.any(1)})"]
        return [f"{indent}{name} {r.choice(['+=', '-='])} {r.choice(['1', repr(r.choice(TEXTS))])}"]

    def building(self, depth: int, indent: str) -> list[str]:
        """A list that is built in a loop, now and then under a second name."""
        r = self.rng
        name = r.choice(["built", self.name()])
        deeper = indent + "    "
        lines = [f"{indent}{name} = {r.choice(['[]', 'list()', '[1]'])}"]
        if r.random() < 0.2:
            lines.append(f"{indent}also = {r.choice([name, f'({name} or [])', f'[{name}]'])}")
        lines.append(f"{indent}for each in {self.list(1)}:")
        if r.random() < 0.5:
            lines += [f"{deeper}if {self.with_local('each', lambda: self.test(1))}:", f"{deeper}    {name}.append(each)"]
        else:
            lines.append(f"{deeper}{name}.append({self.with_local('each', lambda: self.any(1))})")
        self.locals += ["each"] + [name] * (r.random() < 0.3) + ["also"] * any("also" in line for line in lines)
        ask = r.choice([f"len({name}) > 1", name, f"not {name}", f"{self.any(0)} in {name}", f"any({name})", f"{name} == ['a']", f"sorted({name})"])
        return [*lines, f"{indent}if {ask}:", f"{deeper}return {self.result()}"]

    def function(self, head: str, parameters: list[str], depth: int, end: str = "return") -> list[str]:
        self.locals = list(parameters)
        lines = [head]
        for _ in range(self.rng.randrange(1, 4)):
            lines += self.statement(depth, "    ", False)
        return [*lines, f"    {end} {self.result()}"]


def constants(rng: random.Random, prefix: str) -> tuple[list[str], dict[str, str]]:
    """Statements that define constants, and what each is."""
    some = lambda: ", ".join(literal_scalar(rng) for _ in range(rng.randrange(1, 5)))  # noqa: E731
    lines, kinds = [], {}

    def add(name: str, text: str, kind: str) -> None:
        lines.append(f"{prefix}{name} = {text}")
        kinds[prefix + name] = kind

    add("SET", f"{{{some()}}}", "set")
    add("FROZEN", f"frozenset([{some()}])", "set")
    add("LIST", f"[{some()}]", "list")
    add("TUPLE", f"({some()},)", "list")
    add("DICT", "{" + ", ".join(f"{literal_scalar(rng)}: {literal(rng)}" for _ in range(rng.randrange(1, 4))) + "}", "dict")
    add("TEXT", repr(rng.choice(TEXTS)), "text")
    add("NUMBER", rng.choice(["0", "1", "2", "-1"]), "number")
    add("UNION", f"{prefix}SET {rng.choice(['|', '&', '-'])} {prefix}FROZEN", "set")
    add("MADE", rng.choice([f"set({prefix}LIST)", f"tuple({prefix}LIST)", f"{prefix}DICT.keys()", f"list({prefix}TUPLE)",
                            f"[*{prefix}TUPLE, 'b']", f"{prefix}LIST + ['Get']", f"{{x for x in {prefix}LIST}}",
                            f"[x for x in {prefix}TUPLE if x != 'a']", f"{prefix}DICT | {{'b': 2}}", f"{prefix}TEXT.split('a')"]), "list")
    if rng.random() < 0.2:
        lines.append(rng.choice([f"{prefix}LIST.append('Get')", f"{prefix}SET.add('Get')", f"{prefix}DICT['Get'] = 'a'",
                                 f"{prefix}LIST += ['Get']", f"for {prefix}EACH in [{prefix}LIST]:\n    {prefix}EACH.append('Get')"]))
    return lines, kinds


def literal_scalar(rng: random.Random) -> str:
    return rng.choice([repr(rng.choice(TEXTS)), repr(rng.choice(TEXTS)), repr(rng.choice(TEXTS)), "1", "0", "True", "None", "1.0"])


IMPORTS = ["import re", "from collections.abc import Mapping", "from fnmatch import fnmatch"]


CALLS = ["def first_call(a):", "    return a", "", "", "CALLS = {'a': first_call}"]
CARRIERS = ["def pack_all(*all):", "    return all", "", "", "def make_first(v):", "    w = q = 'a'", "    return pack_all(lambda: v and (w or q))",
            "", "", "def call_first(all):", "    v = w = 'b'", "    return all[0]()", "", "", "def call_with(call, v):", "    return call(v)"]


def helpers(rng: random.Random, calm: bool) -> tuple[str, list[tuple[str, str]], dict[str, str]]:
    lines, kinds = constants(rng, "H_")
    writer = Rule(rng, dict(kinds), [], calm)
    lines = [*IMPORTS, "", "PATTERN = re.compile('a.')", *CALLS, *lines, "", "", *CARRIERS]
    functions = []
    heads = [("event_check(event)", ["event"], "event"), ("two(a, b='a')", ["a", "b"], "two"), ("rest(a, *b)", ["a", "b"], "two"),
             ("only(a, /, b=None)", ["a", "b"], "two"), ("named(a, *, b='')", ["a", "b"], "two"), ("three(a=1, b=2, c='a')", ["a", "b", "c"], "two")]
    for head, parameters, form in heads:
        name = head.partition("(")[0]
        function = writer.function(f"def {head}:", parameters, 1)
        if form != "event":
            function = [line.replace("event.deep_get", "DICTIONARY.get").replace("event.deep_walk", "DICTIONARY.get").replace("event", "DICTIONARY") for line in function]
        lines += ["", "", *function]
        functions.append((name, form))
    text = "\n".join(lines).replace("PATTERN = re.compile('a.')", f"PATTERN = re.compile({rng.choice(PATTERNS)!r})\nDICTIONARY = {{'x': 'a', 'n': 1}}")
    return text + "\n", functions, kinds


def write_pack(directory: Path, rng: random.Random, count: int, panther: bool) -> None:
    """A pack of `count` rules with helper modules."""
    (directory / "helpers").mkdir(parents=True)
    name = directory.name
    dialect = "panther" if panther else "plain"
    (directory / "pack.yaml").write_text(f"version: 1\nname: {name}\ndialect: {dialect}\n", encoding="utf-8")
    modules = []
    for number in range(2):
        text, functions, kinds = helpers(rng, calm=number == 0)
        (directory / f"helpers/g_help{number}.py").write_text(text, encoding="utf-8")
        modules.append((f"g_help{number}", functions, kinds))
    for number in range(count):
        module, functions, kinds = rng.choice(modules)
        lines = list(IMPORTS)
        if rng.random() < 0.5:
            lines.append(f"import {module} as h")
            calls = [(f"h.{name}", form) for name, form in functions]
            known = {f"h.{name}": kind for name, kind in kinds.items()}
        else:
            lines.append(f"from {module} import {', '.join([name for name, _ in functions] + list(kinds))}")
            calls, known = functions, dict(kinds)
        defined, own = constants(rng, rng.choice(["", "M_"]))
        known |= own
        lines += ["", f"PATTERN = re.compile({rng.choice(PATTERNS)!r})", *defined, "", "", *CARRIERS]
        writer = Rule(rng, known, calls, calm=rng.random() < 0.6)
        for name in ("first_call", "second_call"):
            lines += ["", "", *writer.function(f"def {name}(a):", ["a"], 0)]
        entries = ", ".join(f"{literal_scalar(rng)}: {rng.choice(['first_call', 'second_call'])}" for _ in range(2))
        lines += ["", "", f"CALLS = {{{entries}}}"]
        if rng.random() < 0.1:
            lines.append(rng.choice(["CALLS['a'] = second_call", "CALLS.update(a=first_call)", "OTHER = CALLS"]))
        function = writer.function("def rule(event):", [], rng.choice([1, 2, 2, 3]))
        if rng.random() < 0.2:
            function.insert(1, rng.choice(["    import re", "    from fnmatch import fnmatch", "    import json, re", "    from re import nothing",
                                           "    import re as json"]))
        lines += ["", "", *function, ""]
        (directory / f"g_{number:04}.py").write_text("\n".join(lines), encoding="utf-8")
        filters = f"InlineFilters: {json.dumps(expressions(rng))}\n" if rng.random() < 0.25 else ""
        if panther or filters:
            write_metadata(directory / f"g_{number:04}.yml", f"Filename: g_{number:04}.py\n{filters}")
    for number in range(count // 2):
        filters = f"InlineFilters: {json.dumps(expressions(rng))}\n" if rng.random() < 0.2 else ""
        write_metadata(directory / f"d_{number:04}.yml", f"Detection: {json.dumps(expressions(rng))}\n{filters}")


def write_metadata(path: Path, more: str) -> None:
    head = f"AnalysisType: rule\nRuleID: G.{path.stem}\nEnabled: true\nSeverity: Info\nLogTypes:\n  - AWS.CloudTrail\n"
    path.write_text(head + more, encoding="utf-8")
