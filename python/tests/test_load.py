"""The load report: what is a load error, where it is, and that the other rules load."""
from __future__ import annotations

import unittest
from typing import Any

from .harness import panther, rule
from .local import LocalPack

GOOD = "def rule(event):\n    return True\n"


class Case(unittest.TestCase):
    def load(self, source: str | bytes, **files: Any) -> dict[str, Any]:
        """The report of one rule; a good one beside it always loads."""
        with LocalPack({"rules/r.py": source, "rules/good.py": GOOD, **files},
                       [rule("rules/r.py"), rule("rules/good.py")]) as pack:
            self.assertNotIn("error", pack.report["rules"][1])
            self.assertIsNotNone(pack.one({"a": 1}, rule=1)["match"])
            return {**pack.report["rules"][0], "pack_warnings": pack.report["warnings"]}

    def fails(self, source: str | bytes, type_: str, line: int | None, message: str, path: str = "rules/r.py",
              **files: Any) -> dict[str, Any]:
        report = self.load(source, **files)
        error = report["error"]
        self.assertEqual((error["type"], error["path"], error["line"]), (type_, path, line), error)
        self.assertRegex(error["message"], message)
        return error


class DefinedAt(Case):
    def test_only_of_the_function_that_the_file_defines(self) -> None:
        elsewhere = {"rules/other.py": GOOD}
        for source, line, files in (
            ("X = 1\n\ndef rule(event):\n    return True\n", 3, {}),
            ("def rule(event):\n    return True\ndef rule(event):\n    return False\n", 3, {}),
            ("rule = lambda event: True\n", 1, {}),
            ("from other import rule\n", None, elsewhere),
            ("class R:\n    def __call__(self, event):\n        return True\nrule = R()\n", None, {}),
        ):
            with self.subTest(source):
                self.assertEqual(self.load(source, **files)["defined_at"], line)


class LoadErrors(Case):
    def test_whatever_happens_at_import(self) -> None:
        for source, type_, line, message in (
            ("import nothing_like_this\n", "ModuleNotFoundError", 1, "No module named 'nothing_like_this'"),
            ("\nfrom json import nothing\n", "ImportError", 2, "cannot import name 'nothing'"),
            ("x = 1\ndef rule(event)\n", "SyntaxError", 2, "expected ':'"),
            ("def rule(event):\n\treturn 1\n        return 2\n", "TabError", 3, "tabs"),
            ("def rule(event):\nreturn 1\n", "IndentationError", 2, "indented block"),
            ("return 5\n", "SyntaxError", 1, "outside function"),
            (b"x = 1\ny = '\0'\n", "SyntaxError", 2, "null bytes"),
            (b"# \xff\xfe\nx = '\xff'\n", "SyntaxError", 2, "utf-8"),
            (b"# -*- coding: klingon -*-\n", "SyntaxError", 1, "unknown encoding"),
            ("\n\n1 / 0\n", "ZeroDivisionError", 3, "division by zero"),
            ("import sys\nsys.exit(0)\n", "SystemExit", 2, "0"),
            ("raise KeyboardInterrupt('x')\n", "KeyboardInterrupt", 1, "x"),
            ("def f():\n    f()\nf()\n", "RecursionError", 2, "maximum recursion depth"),
            ("x = [0] * (1 << 62)\n", "MemoryError", 1, "^$"),
            ("(" * 300 + ")" * 300, "SyntaxError", 1, "too many nested"),
            ("x = " + "-" * 100_000 + "1\n", "SyntaxError", 1, "nested"),
        ):
            with self.subTest(source[:40]):
                self.fails(source, type_, line, message)

    def test_a_failing_helper_is_named_and_stays_failed_for_all(self) -> None:
        helper = {"helpers/h.py": "x = 1\ny = {}['k']\n"}
        error = self.fails("import h\n" + GOOD, "KeyError", 2, "k", path="helpers/h.py", **helper)
        self.assertIn('File "rules/r.py", line 1', error["traceback"])
        with LocalPack({"a.py": "import h\n" + GOOD, "b.py": "import h\n" + GOOD, **helper},
                       [rule("a.py"), rule("b.py")]) as pack:
            self.assertEqual(["error" in report for report in pack.report["rules"]], [True, True])

    def test_import_errors_show_the_source_line(self) -> None:
        error = self.fails("x = 1\nimport nothing_like_this\n", "ModuleNotFoundError", 2, "nothing_like_this")
        self.assertIn("    import nothing_like_this\n", error["traceback"])
        self.assertNotIn("iota_worker", error["traceback"])

    def test_functions_that_are_none(self) -> None:
        for source, line, message in (
            ("x = 1\n", 1, "defines no function `rule`"), ("\nrule = 5\n", 2, "`rule` is not callable .it is int"),
            ("\nclass rule:\n    pass\n", 2, "`rule` is a class"),
            ("async def rule(event):\n    return True\n", 1, "async"),
            ("def rule(event):\n    yield True\n", 1, "generator"),
            ("async def rule(event):\n    yield True\n", 1, "async"),
            (GOOD + "def title(a, b):\n    return ''\n", 3, r"`title\(a, b\)` cannot be called"),
            (GOOD + "def title(*, a):\n    return ''\n", 3, "cannot be called"),
            (GOOD + "title = 'static'\n", 3, "`title` is not callable"), (GOOD + "severity = None\n", 3, "NoneType"),
            (GOOD + "from json import decoder as dedup\n", 3, "`dedup` is not callable"),
            (GOOD + "class C:\n    async def __call__(self, event):\n        pass\ntitle = C()\n", 6, "async"),
            (GOOD + "import functools\nasync def f(x, event):\n    pass\ntitle = functools.partial(f, 1)\n", 6, "async"),
        ):
            with self.subTest(source):
                self.fails(source, "NoRuleFunction" if source == "x = 1\n" else "BadSignature", line, message)

    def test_a_rule_that_is_not_in_the_snapshot(self) -> None:
        with LocalPack({}, [rule("gone.py")]) as pack:
            self.assertIn("gone.py is not in the snapshot", pack.report["rules"][0]["error"]["message"])


class Functions(Case):
    def test_arguments(self) -> None:
        source = '''
import functools
def _any(f):
    @functools.wraps(f)
    def wrapper(*args, **kwargs):
        return f(*args, **kwargs)
    return wrapper
def _bare(f):
    return lambda event: f()
class Callable:
    def __call__(self, event):
        return "called"
class Method:
    def title(self):
        return "m"
    @staticmethod
    def static(event):
        return "s"
def rule(event): return True
@_any
def title(): return "none"
@_any
def description(event): return "one"
@_bare
def reference(): return "bare"
runbook = Callable()
dedup = functools.partial(lambda prefix, event: prefix + event["a"], "p")
unique = lambda: "u"
severity = Method().title
alert_context = dict
destinations = Method.static
'''.replace("alert_context = dict\n", "")
        with LocalPack({"r.py": source}, [rule("r.py")]) as pack:
            reply = pack.one({"a": "b"})
            # Both were called; only what they return is wrong.
            self.assertEqual([(error["function"], error["type"]) for error in reply["errors"]],
                             [("severity", "ValueError"), ("destinations", "TypeError")])
            match = reply["match"]
            self.assertEqual([match[name] for name in ("title", "description", "reference", "runbook", "dedup", "unique")],
                             ["none", "one", "bare", "called", "pb", "u"])

    def test_imported_functions_count(self) -> None:
        with LocalPack({"base.py": GOOD + "def title(event):\n    return 'base'\n", "r.py": "from base import rule, title\n"},
                       [rule("r.py")]) as pack:
            self.assertEqual(pack.one({"a": 1})["match"]["title"], "base")

    def test_encoding_cookies_and_byte_order_marks(self) -> None:
        for data in ("# -*- coding: latin-1 -*-\n" + GOOD + "def title(event):\n    return 'é'\n").encode("latin-1"), \
                b"\xef\xbb\xbf" + (GOOD + "def title(event):\n    return 'é'\n").encode("utf-8"):
            with LocalPack({"r.py": data}, [rule("r.py")]) as pack:
                self.assertEqual(pack.one({"a": 1})["match"]["title"], "é")
        with LocalPack({"r.py": "# coding: latin-1\ndef rule(event):\n    raise ValueError('é')\n".encode("latin-1")},
                       [rule("r.py")]) as pack:
            self.assertIn("raise ValueError('é')", pack.one({"a": 1})["error"]["traceback"])


class Warnings(Case):
    def lines(self, source: str) -> list[int]:
        report = self.load(source)
        self.assertNotIn("error", report)
        return [warning["line"] for warning in report["warnings"]]

    def test_state_kept_between_records(self) -> None:
        self.assertEqual(self.lines("n = 0\ndef rule(event):\n    global n\n    n += 1\n    return n > 3\n"), [4])
        self.assertEqual(self.lines("seen = set()\ndef rule(event):\n    seen.add(event['a'])\n    return True\n"), [3])
        self.assertEqual(self.lines("from collections import defaultdict\nd = defaultdict(int)\n"
                                    "def rule(event):\n    d['x'] += 1\n    del d['x']\n    return True\n"), [4, 5])
        self.assertEqual(self.lines("l: list = []\ndef rule(event):\n    def f():\n        l.append(1)\n    return True\n"), [4])

    def test_what_is_no_kept_state(self) -> None:
        self.assertEqual(self.lines("FOUND = None\ndef rule(event):\n    global FOUND\n    FOUND = event\n    return True\n"
                                    "def title(event):\n    return str(FOUND)\n"), [])
        self.assertEqual(self.lines("L = []\ndef rule(event):\n    global L\n    L = []\n    L.append(1)\n    return True\n"), [])
        self.assertEqual(self.lines("seen = []\ndef rule(event):\n    seen = []\n    seen.append(1)\n    n = 0\n    n += 1\n"
                                    "    return True\ndef title(seen):\n    seen.append(1)\n    return ''\n"), [])
        self.assertEqual(self.lines("D = {}\nD['x'] = 1\nD.update(y=2)\ndef rule(event):\n    return D.get('x')\n"), [])

    def test_threshold_functions_are_never_called(self) -> None:
        report = self.load(GOOD + "def threshold(event):\n    return 5\n")
        self.assertEqual(report["warnings"][0]["line"], 3)
        self.assertIn("threshold() is never called", report["warnings"][0]["message"])

    def test_what_is_printed_at_import(self) -> None:
        report = self.load("x = 1\nprint('hello\\nyou')\n" + GOOD)
        self.assertEqual(report["warnings"], [{"line": 2, "message": "printed at import: hello"},
                                              {"line": 2, "message": "printed at import: you"}])
        report = self.load("import h\n" + GOOD, **{"helpers/h.py": "\n\nprint('from a helper')\n"})
        self.assertEqual(report["warnings"], [])
        self.assertEqual(report["pack_warnings"], [{"path": "helpers/h.py", "line": 3,
                                                    "message": "printed at import: from a helper"}])

    def test_what_the_compiler_warns_of(self) -> None:
        report = self.load(GOOD + "X = 1 is 1\n")
        self.assertEqual((report["pack_warnings"][0]["path"], report["pack_warnings"][0]["line"]), ("rules/r.py", 3))
        self.assertRegex(report["pack_warnings"][0]["message"], '"is" with .* literal')

    def test_uses_state(self) -> None:
        files = {"direct.py": "from panther_detection_helpers.caching import get_counter\n" + GOOD,
                 "package.py": "from panther_detection_helpers import caching\n" + GOOD,
                 "late.py": "def rule(event):\n    import panther_detection_helpers.caching as c\n    return True\n",
                 "through.py": "from aid.inner import x\n" + GOOD, "helpers/aid/inner.py": "from .state import x\n",
                 "helpers/aid/state.py": "import panther_detection_helpers.caching\nx = 1\nimport through\n",
                 "none.py": "import json\n" + GOOD}
        with LocalPack(files, [rule(path) for path in files if "/" not in path]) as pack:
            used = {r["index"]: r["uses_state"] for r in pack.report["rules"]}
            self.assertEqual(used, {0: True, 1: True, 2: True, 3: True, 4: False})


class Testing(unittest.TestCase):
    SOURCE = ("import helper\nfrom helper import names\nLIMIT = 3\n"
              "def rule(event):\n    return event['n'] > LIMIT\n"
              "def title(event):\n    return f'{names()} {event.get(\"p_log_type\")}'\n"
              "def severity():\n    return 'nope'\n"
              "def alert_context(event):\n    print('in context')\n    return {'n': event['n']}\n")

    def pack(self, make: Any = panther, **fields: Any) -> LocalPack:
        return LocalPack({"r.py": self.SOURCE, "helper.py": "def names():\n    return 'real'\n"},
                         [make("r.py", id="My.Rule", **fields)])

    def test_a_match(self) -> None:
        with self.pack() as pack:
            answer = pack.test({"n": 5})
            self.assertEqual((answer["matched"], answer["filtered"], answer["logs"]), (True, False, ["in context"]))
            self.assertEqual({name: error["line"] for name, error in answer["errors"].items()}, {"severity": 8})
            self.assertEqual(answer["match"], {"title": "real AWS.CloudTrail", "dedup": "real AWS.CloudTrail",
                                               "severity": "MEDIUM", "context": {"n": 5}})

    def test_all_functions_run_without_a_match(self) -> None:
        with self.pack() as pack:
            answer = pack.test({"n": 1}, log_type="Other.Log")
            self.assertEqual((answer["matched"], answer["match"]), (False, None))
            self.assertEqual((list(answer["errors"]), answer["logs"]), (["severity"], ["in context"]))

    def test_an_exception_in_rule(self) -> None:
        with self.pack() as pack:
            answer = pack.test({})
            self.assertEqual((answer["matched"], answer["match"]), (False, None))
            self.assertEqual((answer["errors"]["rule"]["type"], answer["errors"]["rule"]["line"]), ("KeyError", 5))
            self.assertNotIn("title", answer["errors"])

    def test_mocks_last_for_their_test_only(self) -> None:
        with self.pack() as pack:
            mocks = [{"name": "names", "value": "mocked"}]
            self.assertEqual(pack.test({"n": 5}, mocks=mocks)["match"]["title"], "mocked AWS.CloudTrail")
            self.assertEqual(pack.test({"n": 5})["match"]["title"], "real AWS.CloudTrail")
            unknown = pack.test({"n": 5}, mocks=[{"name": "not_there", "value": 1}])
            self.assertIn("`not_there` replaces nothing", unknown["errors"]["rule"]["message"])
            failing = pack.test({"n": 5}, mocks=[{"name": "LIMIT", "value": 9}])
            self.assertIn("MagicMock", failing["errors"]["rule"]["message"])
            self.assertTrue(pack.test({"n": 5})["matched"])

    def test_a_rule_that_did_not_load(self) -> None:
        with LocalPack({"r.py": "x = = 1\n"}, [rule("r.py")]) as pack:
            answer = pack.test({"n": 5})
            self.assertEqual(answer["errors"]["rule"]["type"], "SyntaxError")
            self.assertFalse(answer["matched"])

    def test_results_that_are_not_json(self) -> None:
        source = "def rule(event):\n    return {1}\ndef alert_context(event):\n    return {'x': object}\n"
        with LocalPack({"r.py": source}, [rule("r.py")]) as pack:
            answer = pack.test({"n": 5})
            self.assertEqual(list(answer["errors"]), ["alert_context"])
            self.assertIn("_error", answer["match"]["context"])


if __name__ == "__main__":
    unittest.main()
