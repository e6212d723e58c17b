"""A worker that is told what another found out about the pack: it answers the same and parses nothing."""
from __future__ import annotations

import ast
import json
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from iota_worker import snapshot

from .harness import ENVIRONMENT, ROOT, Worker, panther, rule
from .local import LocalPack

RECORDS = [json.loads(line) for line in (ROOT / "testdata" / "real-cloudtrail.jsonl").read_text("utf-8").splitlines()[:60]]
SAYS = "def rule(event):\n    return True\ndef title(event):\n    return str({})\n"
CONFIG = {"name": "p", "config": {"trusted_accounts": [], "trail_buckets": [], "break_glass_users": ["breakglass"]}}
COUNTS = "from panther_detection_helpers.caching import increment_counter\ndef rule(event):\n    return increment_counter('k') > 1\n"


def pack_of(directory: str) -> dict[str, bytes]:
    below = ROOT / directory
    return {str(path.relative_to(below)): path.read_bytes() for path in sorted(below.rglob("*.py"))}


def counted(files: dict[str, Any], rules: list[dict[str, Any]], **fields: Any) -> tuple[Any, list[tuple[str, bool]]]:
    """What `LocalPack` reports, and what was compiled for it: (path, whether to a tree)."""
    calls: list[tuple[str, bool]] = []

    def counting(source: Any, path: str, mode: str, flags: int = 0, **others: Any) -> Any:
        calls.append((path, flags != 0))
        return compile(source, path, mode, flags, **others)

    with mock.patch.object(snapshot, "compile", counting, create=True), LocalPack(files, rules, **fields) as pack:
        return pack.report, calls


class Case(unittest.TestCase):
    def both(self, files: dict[str, Any], rules: list[dict[str, Any]], records: Any = (), tests: Any = (),
             **fields: Any) -> list[dict[str, Any]]:
        """Replies of a worker that was told nothing and of one that was told everything: they must be the same."""
        with Worker() as first:
            report = first.load(files, rules, **fields)
            runnable = [entry["index"] for entry in report["rules"] if "error" not in entry]
            told = self.replies(first, runnable, records, tests)
        with Worker() as second:
            again = second.load(files, rules, prepared=report["prepared"], **fields)
            self.assertNotIn("prepared", again)
            self.assertEqual([self.essence(entry) for entry in again["rules"]],
                             [self.essence(entry) for entry in report["rules"]])
            self.assertEqual(self.replies(second, runnable, records, tests), told)
        return told

    @staticmethod
    def essence(entry: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in entry.items() if name != "warnings"}

    @staticmethod
    def replies(worker: Worker, runnable: list[int], records: Any, tests: Any) -> list[dict[str, Any]]:
        reply = worker.batch(*((record, runnable) for record in records)) if runnable and records else {}
        reply.pop("nanos", None)
        return [reply, *(worker.test(index, log) for index, log in tests if index in runnable)]


class TheSame(Case):
    def test_packs_of_the_repository(self) -> None:
        for directory, dialect in (("testdata/panther_pack", panther), ("testdata/rules", rule), ("rules/aws_cloudtrail", rule)):
            with self.subTest(directory):
                files = pack_of(directory)
                rules = [dialect(path) for path, source in files.items() if b"def rule(" in source]
                globals_ = [{"id": Path(path).stem, "path": path} for path in files if path.startswith("global_helpers/")]
                self.assertTrue(rules)
                replies = self.both(files, rules, RECORDS, [(index, RECORDS[0]) for index in range(0, len(rules), 7)],
                                    globals=globals_, pack=CONFIG)
                self.assertTrue(replies[0])

    def test_rules_that_fail_in_every_way(self) -> None:
        sources = {"null.py": b"x = 1\ny = '\0'\n", "bytes.py": b"# \xff\xfe\nx = '\xff'\n", "syntax.py": "def rule(event)\n",
                   "missing.py": "import nothing_like_this\n", "raises.py": "\n1 / 0\n", "deep.py": "x = " + "-" * 100_000 + "1\n",
                   "outside.py": "return 5\n", "tab.py": "def rule(event):\n\treturn 1\n        return 2\n", "none.py": "x = 1\n",
                   "arity.py": "from arities import title\ndef rule(event):\n    return True\n",
                   "arities.py": "def title(a, b):\n    return ''\n", "good.py": SAYS.format("__file__")}
        self.both(sources, [rule(path) for path in sources if path != "arities.py"], RECORDS[:1])

    def test_what_fails_only_while_a_rule_runs(self) -> None:
        late = {"broken.py": "x = = 1\n", "null.py": b"\0", "bytes.py": b"x = '\xff'\n", "deep.py": "x = " + "-" * 100_000 + "1\n",
                "outside.py": "\nreturn 5\n", "raises.py": "\n\n1 / 0\n", "middle.py": "x = " + "-" * 3_000 + "1\n"}
        rules = {f"r_{path}": f"def rule(event):\n    import {path[:-3]}\n    return True\n" for path in late}
        replies = self.both({**late, **rules}, [rule(path) for path in rules], RECORDS[:2])
        failed = {error["rule"] for error in replies[0]["errors"]}
        self.assertGreaterEqual(len(failed), len(late) - 1, "what is nested in between is too deep for some versions only")

    def test_tracebacks_and_lines(self) -> None:
        files = {"helpers/h.py": "import traceback\n\ndef wrong(event):\n    return 5\ndef fail(event):\n    return {}['k']\n"
                                 "def told(event):\n    try:\n        fail(event)\n    except KeyError:\n"
                                 "        return traceback.format_exc()\n",
                 "r.py": "X = 1\nfrom h import wrong as rule\n", "s.py": "import h\ndef rule(event):\n    return h.fail(event)\n",
                 "t.py": "from h import told as title\ndef rule(event):\n    return True\n",
                 "latin.py": "# coding: latin-1\ndef rule(event):\n    raise ValueError('é')\n".encode("latin-1"),
                 "feed.py": "\x0cX = 1\r\ndef rule(event):\r\n    raise ValueError(\"\x1c\")\r\n"}
        reply = self.both(files, [panther(path) for path in files if "/" not in path], RECORDS[:2])[0]
        self.assertEqual([(error["rule"], error["line"]) for error in reply["errors"][:2]], [(0, 2), (1, 6)])
        self.assertIn("fail(event)", reply["matches"][0]["title"])

    def test_stateful_rules(self) -> None:
        files = {"direct.py": COUNTS, "helpers/h.py": COUNTS, "through.py": "import h\nrule = h.rule\n",
                 "hidden.py": "import sys\ndef rule(event):\n"
                              "    return sys.modules['panther_detection_' + 'helpers.caching'].get_counter('k')\n"}
        reply = self.both(files, [rule(path) for path in files if "/" not in path], RECORDS[:3], [(0, RECORDS[0])])[0]
        alone = self.both({"hidden.py": files["hidden.py"]}, [rule("hidden.py")], RECORDS[:1])[0]
        self.assertTrue(reply["state"])
        self.assertIn("name them in an import statement", alone["errors"][0]["message"])

    def test_printed_lines_and_warnings(self) -> None:
        files = {"r.py": "import warnings\nwarnings.warn('at import')\nprint('hello')\nX = 1 is 1\nY = '\\d'\n"
                         "def rule(event):\n    warnings.warn('now')\n    print('there')\n    return True\n"}
        reply = self.both(files, [rule("r.py")], RECORDS[:2])[0]
        self.assertIn("there", [line["text"] for line in reply["logs"]])

    def test_names_mean_the_same(self) -> None:
        names = ("ast", "colorsys", "inspect", "dataclasses", "ipaddress", "zoneinfo", "json", "secrets", "linecache")
        files: dict[str, Any] = {f"{name}.py": "MINE = True\n" for name in names}
        for name in names:
            files[f"r_{name}.py"] = f"import {name} as m\n" + SAYS.format("hasattr(m, 'MINE')")
        self.both(files, [rule(path) for path in files if path.startswith("r_")], RECORDS[:1])

    def test_data_models_and_yaml(self) -> None:
        model = {"id": "m", "path": "m.yml", "python": "m.py", "log_types": ["AWS.CloudTrail"],
                 "mappings": [{"name": "who", "method": "who"}, {"name": "name", "path": "$.eventName"}]}
        files = {"m.py": "def who(event):\n    return event.get('sourceIPAddress')\n",
                 "r.py": "def rule(event):\n    return True\ndef title(event):\n    return f\"{event.udm('who')} {event.udm('name')}\"\n"}
        inline = [{"Key": "eventName", "Condition": "Exists"}]
        rules = [panther("r.py", inline_filters=inline),
                 panther(None, detection=[{"Key": "eventName", "Condition": "Exists"}], alert_title="{eventName}")]
        self.both(files, rules, RECORDS[:3], data_models=[model])


class NothingIsParsed(Case):
    def test_each_file_is_compiled_once_and_only_when_it_is_run(self) -> None:
        files = {**pack_of("rules/aws_cloudtrail"), "other/broken.py": "x = = 1\n", "other/unused.py": "X = '\\d' is 1\n"}
        rules = [rule(path) for path, source in files.items() if b"def rule(" in (source if isinstance(source, bytes) else b"")]
        report, calls = counted(files, rules, pack=CONFIG)
        self.assertFalse([entry for entry in report["rules"] if "error" in entry])
        self.assertEqual(len([path for path, tree in calls if tree]), len(files))
        again, calls = counted(files, rules, prepared=report["prepared"], pack=CONFIG)
        self.assertEqual([path for path, tree in calls if tree], [])
        self.assertEqual(len(calls), len({path for path, _ in calls}))
        self.assertNotIn("other/unused.py", [path for path, _ in calls])
        self.assertEqual([entry["uses_state"] for entry in again["rules"]], [entry["uses_state"] for entry in report["rules"]])

    def test_no_hints_and_no_warnings_of_the_compiler_a_second_time(self) -> None:
        files = {"r.py": "seen = []\nX = 1 is 1\nY = '\\d'\ndef rule(event):\n    seen.append(1)\n    return True\n"
                         "def threshold(event):\n    return 1\n"}
        report, _ = counted(files, [rule("r.py")])
        self.assertEqual([len(report["rules"][0]["warnings"]), len(report["warnings"])], [2, 2])
        again, _ = counted(files, [rule("r.py")], prepared=report["prepared"])
        self.assertEqual([again["rules"][0]["warnings"], again["warnings"]], [[], []])

    def test_the_reader_of_sources_is_not_even_there(self) -> None:
        files = {"r.py": "import sys\n" + SAYS.format("'iota_worker.source' in sys.modules")}
        titles = []
        with Worker() as worker:
            prepared = worker.load(files, [rule("r.py")])["prepared"]
            titles.append(worker.batch((RECORDS[0], [0]))["matches"][0]["title"])
        with Worker() as worker:
            worker.load(files, [rule("r.py")], prepared=prepared)
            titles.append(worker.batch((RECORDS[0], [0]))["matches"][0]["title"])
        self.assertEqual(titles, ["True", "False"])


class LateImports(Case):
    # What a pack may import without anything of LATE_IMPORTS_OF_OTHERS being needed later; and by whom it would be needed.
    NAMED = sorted(snapshot.UNDEMANDING | {"typing"})
    UNREACHED = {("inspect", "typing._lazy_load_getattr_static"),  # protocols: not among UNDEMANDING_TYPES
                 ("inspect", "warnings.__call__"),  # warnings.deprecated
                 ("ast", "traceback")}  # which only a pack that names it calls

    def report(self, source: str) -> list[str]:
        report, _ = counted({"r.py": source + "\n" + SAYS.format("1")}, [rule("r.py")])
        return report["prepared"]["imports"]

    def test_are_left_out_where_nothing_can_need_them(self) -> None:
        late = set(snapshot.LATE_IMPORTS_OF_OTHERS)
        for source in ("", "import json, re\nfrom datetime import datetime\nfrom typing import Any, Optional\nimport boto3\n"
                           "from panther_detection_helpers.caching import get_counter"):
            self.assertEqual(late & set(self.report(source)), set(), source)
        for source in ("import typing", "from typing import Protocol", "import traceback", "import random",
                       "def f():\n    import email", "x = __import__('json')", "exec('')", "import importlib"):
            self.assertLessEqual(late, set(self.report(source)), source)
        self.assertIn("inspect", self.report("import functools\ndedup = functools.partial(lambda a, b: a, 1)"))

    def test_nothing_that_is_left_out_is_imported_late(self) -> None:
        """The functions of all modules that are there, searched for import statements of what is not."""
        code = (f"import sys; sys.path.insert(0, {str(ROOT / 'python')!r}); import iota_worker.main, iota_worker.session\n"
                f"import importlib\nfor name in {[*snapshot.LATE_IMPORTS, *self.NAMED]!r}: importlib.import_module(name)\n"
                "import json; print(json.dumps({name: getattr(module, '__file__', None) for name, module in sys.modules.items()}))")
        modules = json.loads(subprocess.run([sys.executable, "-P", "-s", "-S", "-B", "-c", code], capture_output=True,
                                            check=True, env=ENVIRONMENT).stdout)
        late = set(snapshot.LATE_IMPORTS_OF_OTHERS)
        self.assertFalse(late & set(modules), "they would not be late")
        found = set()
        for name, path in modules.items():
            if not path or not path.endswith(".py") or name.startswith(("iota_worker", "__main__")):
                continue
            for function in ast.walk(ast.parse(Path(path).read_text("utf-8"))):
                if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    for node in ast.walk(function):
                        named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                        named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                        found |= {(one, name, function.name) for one in named if one.partition(".")[0] in late}
        unexpected = {(one, name, function) for one, name, function in found
                      if (one, name) not in self.UNREACHED and (one, f"{name}.{function}") not in self.UNREACHED}
        self.assertEqual(unexpected, set())


if __name__ == "__main__":
    unittest.main()
