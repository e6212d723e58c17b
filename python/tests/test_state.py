"""Stateful helpers: signatures as documented, reads on top of committed values, operations per pair."""
from __future__ import annotations

import unittest
from typing import Any

from .harness import rule
from .local import NOW, LocalPack


def source(body: str) -> str:
    return (f"from panther_detection_helpers.caching import *\ndef rule(event):\n{body}\n    return True\n")


DEFAULT_END = {"op": "set_ttl", "kind": "counter", "key": "k", "expires_at": int(NOW) + 90 * 86_400}


class Case(unittest.TestCase):
    def run_one(self, body: str, stored: dict[tuple[str, str], Any] | None = None) -> tuple[Any, list[dict[str, Any]]]:
        """The value of `seen` after the body, and the operations."""
        text = source("\n".join(f"    {line}" for line in ["global seen", *body.split("\n")]))
        text += "def alert_context(event):\n    return {'seen': seen}\n"
        with LocalPack({"r.py": text}, [rule("r.py")]) as pack:
            pack.stored.update(stored or {})
            reply = pack.one({"a": 1})
            self.assertEqual(reply["errors"], [])
            return reply["match"]["context"]["seen"], reply["state"][0]["ops"] if reply["state"] else []


class Counters(Case):
    def test_counting(self) -> None:
        seen, ops = self.run_one("seen = [get_counter('k'), increment_counter('k'), increment_counter('k', 5), get_counter('k')]\n"
                                 "reset_counter('k')\nseen.append(get_counter('k', force_ttl_check=True))")
        self.assertEqual(seen, [0, 1, 6, 6, 0])
        self.assertEqual(ops, [{"op": "increment", "by": 1, "kind": "counter", "key": "k"}, DEFAULT_END,
                               {"op": "increment", "by": 5, "kind": "counter", "key": "k"},
                               {"op": "reset", "kind": "counter", "key": "k"}])

    def test_committed_values_and_expiry(self) -> None:
        for expires_at, expected in ((None, 8), (NOW + 1, 8), (NOW, 1), (NOW - 9, 1)):
            seen, _ = self.run_one("seen = increment_counter('k')",
                                   {("counter", "k"): {"value": 7, "expires_at": expires_at}})
            self.assertEqual(seen, expected, expires_at)

    def test_lifetimes(self) -> None:
        """Up to seven days from now, else a time; 0 never; strings and floats are taken as numbers."""
        for given, expected in ((60, NOW + 60), ("60", NOW + 60), (60.7, NOW + 60), (604_800, NOW + 604_800),
                                (NOW + 5, NOW + 5), (0, None)):
            _, ops = self.run_one(f"seen = increment_counter('k')\nset_key_expiration('k', {given!r})")
            self.assertEqual(ops[1:], [{"op": "set_ttl", "kind": "counter", "key": "k",
                                        "expires_at": None if expected is None else int(expected)}])
        _, ops = self.run_one("seen = increment_counter('k', epoch_seconds=5)")
        self.assertEqual(ops[1]["expires_at"], int(NOW) + 5)

    def test_an_end_is_set_for_what_is_stored_under_the_key(self) -> None:
        stored = {("counter", "k"): {"value": 7, "expires_at": None},
                  ("dictionary", "k"): {"value": {"a": 1}, "expires_at": NOW - 1}}
        _, ops = self.run_one("seen = None\nset_key_expiration('unmet', 5)\nset_key_expiration('k', 5)", stored)
        self.assertEqual(ops, [{**DEFAULT_END, "expires_at": int(NOW) + 5}])

    def test_what_is_stored_without_a_lifetime_ends_after_90_days(self) -> None:
        _, ops = self.run_one("seen = increment_counter('k')\nincrement_counter('k')\nset_key_expiration('k', 0)\n"
                              "increment_counter('k')")
        self.assertEqual([op for op in ops if op["op"] == "set_ttl"], [DEFAULT_END, {**DEFAULT_END, "expires_at": None}])
        for put in ("put_dictionary('k', {})", "put_string_set('k', [])"):
            _, ops = self.run_one(f"seen = {put}", {(kind, "k"): {"value": value, "expires_at": None}
                                                    for kind, value in (("dictionary", {}), ("string_set", []))})
            self.assertEqual(ops[1]["expires_at"], DEFAULT_END["expires_at"], "what is put is new")
        _, ops = self.run_one("seen = increment_counter('k')", {("counter", "k"): {"value": 1, "expires_at": None}})
        self.assertEqual([op["op"] for op in ops], ["increment"], "what is there keeps its end")

    def test_what_has_expired_is_removed_before_it_is_written(self) -> None:
        _, ops = self.run_one("seen = increment_counter('k')", {("counter", "k"): {"value": 7, "expires_at": NOW - 9}})
        self.assertEqual([op["op"] for op in ops], ["reset", "increment", "set_ttl"])

    def test_lifetimes_count_in_the_time_of_the_records(self) -> None:
        text = source("    print(increment_counter('k', epoch_seconds=60), int(event.event_time_epoch()))")
        with LocalPack({"r.py": text}, [rule("r.py")]) as pack:
            times = ("2020-01-01T00:00:00Z", "2020-01-01T00:00:59Z", "2020-01-01T00:01:58Z", "2020-01-01T00:03:00Z",
                     "2099-01-01T00:00:00Z", "no time")
            reply = pack.batch(*(({"eventTime": time}, [0]) for time in times))
            self.assertEqual([line["text"].split()[0] for line in reply["logs"]], ["1", "2", "3", "1", "1", "2"])
            ends = [op["expires_at"] for entry in reply["state"] for op in entry["ops"] if op["op"] == "set_ttl"]
            self.assertEqual(ends[:2], [1577836860, 1577836919])
            self.assertEqual(ends[4:], [int(NOW) + 60] * 2, "a time in the future is not believed")

    def test_an_expiry_in_the_past_ends_the_value(self) -> None:
        seen, _ = self.run_one(f"increment_counter('k')\nset_key_expiration('k', {NOW - 1})\nseen = get_counter('k')")
        self.assertEqual(seen, 0)

    def test_threshold(self) -> None:
        seen, ops = self.run_one("seen = [evaluate_threshold('k', 3, 60) for _ in range(4)]")
        self.assertEqual(seen, [False, False, True, False])
        self.assertEqual([op["op"] for op in ops],
                         ["increment", "set_ttl", "increment", "increment", "reset", "increment", "set_ttl"])


class Sets(Case):
    def test_all_functions(self) -> None:
        end = ("set_ttl", None)
        seen, ops = self.run_one(
            "put_string_set('k', ['b', 'a'])\nseen = [sorted(add_to_string_set('k', 'c')), "
            "sorted(add_to_string_set('k', ('a', 'd'))), sorted(remove_from_string_set('k', {'a', 'zz'})), "
            "sorted(get_string_set('k'))]\nreset_string_set('k')\nseen.append(sorted(get_string_set('k')))")
        self.assertEqual(seen, [["a", "b", "c"], ["a", "b", "c", "d"], ["b", "c", "d"], ["b", "c", "d"], []])
        self.assertEqual([(op["op"], op.get("values")) for op in ops],
                         [("put", ["a", "b"]), end, ("add", ["c"]), ("add", ["a", "d"]), ("remove", ["a", "zz"]),
                          ("reset", None)])
        self.assertTrue(all(op["kind"] == "string_set" for op in ops))

    def test_committed_set_is_a_copy(self) -> None:
        stored = {("string_set", "k"): {"value": ["x"], "expires_at": None}}
        seen, ops = self.run_one("get_string_set('k').add('y')\nseen = [sorted(get_string_set('k')), check_account_age('k'), "
                                 "check_account_age(''), check_account_age(None)]", stored)
        self.assertEqual((seen, ops), ([["x"], True, False, False], []))

    def test_empty_changes_are_no_operation(self) -> None:
        seen, ops = self.run_one("seen = [sorted(add_to_string_set('k', [])), sorted(remove_from_string_set('k', []))]")
        self.assertEqual((seen, ops), ([[], []], []))

    def test_lifetime(self) -> None:
        _, ops = self.run_one("seen = None\nput_string_set('k', ['a'], epoch_seconds=3600)")
        self.assertEqual([op["op"] for op in ops], ["put", "set_ttl"])
        self.assertEqual(ops[1]["expires_at"], int(NOW) + 3600)


class Dictionaries(Case):
    def test_put_and_get(self) -> None:
        seen, ops = self.run_one("put_dictionary('k', {'a': [1, event]})\nfound = get_dictionary('k')\nfound['a'].append(2)\n"
                                 "seen = [get_dictionary('k'), get_dictionary('other')]")
        self.assertEqual(seen, [{"a": [1, {"a": 1}]}, {}])
        self.assertEqual(ops, [{"op": "put", "value": {"a": [1, {"a": 1}]}, "kind": "dictionary", "key": "k"},
                               {**DEFAULT_END, "kind": "dictionary"}])

    def test_what_does_not_fit(self) -> None:
        for call, type_ in (("put_dictionary('k', [1])", "TypeError"), ("put_dictionary('k', {'a': {1}})", "ValueError"),
                            ("put_string_set('k', [1])", "TypeError"), ("increment_counter('k', 'x')", "TypeError"),
                            ("get_counter(5)", "TypeError"), ("kv_table()", "RuntimeError")):
            with self.subTest(call), LocalPack({"r.py": source(f"    {call}")}, [rule("r.py")]) as pack:
                reply = pack.one({"a": 1})
                self.assertEqual((reply["error"]["type"], reply["state"]), (type_, []))
                self.assertEqual(reply["error"]["path"], "r.py")


    def test_nesting_is_limited_by_name(self) -> None:
        nested = "def nested(n):\n    value = 'deep [[[[' * 90\n    for _ in range(n): value = [value]\n    return {'a': value}\n"
        text = nested + source("    put_dictionary('k', nested(event['n']))")
        with LocalPack({"r.py": text}, [rule("r.py")]) as pack:
            self.assertIsNone(pack.one({"n": 99})["error"])
            for depth in (100, 127, 200, 5_000, 100_000):
                with self.subTest(depth):
                    error = pack.one({"n": depth})["error"]
                    self.assertEqual(error["message"], "put_dictionary: the value is nested more than 100 levels deep")


class Pairs(unittest.TestCase):
    COUNT = source("    print(increment_counter('k'))\n    if event['n'] == 2:\n        raise ValueError")

    def test_reads_see_the_earlier_pairs_of_the_batch(self) -> None:
        with LocalPack({"r.py": self.COUNT}, [rule("r.py"), rule("r.py", id="b")]) as pack:
            pack.stored["counter", "k"] = {"value": 10, "expires_at": None}
            reply = pack.batch(({"n": 0}, [0, 1]), ({"n": 1}, [1]))
            self.assertEqual([line["text"] for line in reply["logs"]], ["11", "12", "13"])
            self.assertEqual(pack.fetched, [("counter", "k")], "a value is asked for once a batch")
            self.assertEqual([(entry["record"], entry["rule"], len(entry["ops"])) for entry in reply["state"]],
                             [(0, 0, 1), (0, 1, 1), (1, 1, 1)])
            pack.batch(({"n": 0}, [0]))
            self.assertEqual(len(pack.fetched), 2)

    def test_a_pair_that_raised_contributes_nothing(self) -> None:
        with LocalPack({"r.py": self.COUNT}, [rule("r.py")]) as pack:
            reply = pack.batch(({"n": 1}, [0]), ({"n": 2}, [0]), ({"n": 3}, [0]))
            self.assertEqual([line["text"] for line in reply["logs"]], ["1", "2", "2"])
            self.assertEqual([entry["record"] for entry in reply["state"]], [0, 2])

    def test_a_failing_title_does_not_undo_the_match(self) -> None:
        text = source("    increment_counter('k')") + "def title(event):\n    increment_counter('t')\n    raise ValueError\n"
        with LocalPack({"r.py": text}, [rule("r.py")]) as pack:
            reply = pack.one({"n": 1})
            self.assertEqual([op["key"] for op in reply["state"][0]["ops"] if op["op"] == "increment"], ["k", "t"])

    def test_a_wrong_result_counts_as_raised(self) -> None:
        text = "from panther_detection_helpers.caching import *\ndef rule(event):\n    increment_counter('k')\n    return 5\n"
        with LocalPack({"r.py": text}, [{**rule("r.py"), "dialect": "panther"}]) as pack:
            self.assertEqual(pack.one({"n": 1})["state"], [])

    def test_not_at_import(self) -> None:
        text = "from panther_detection_helpers.caching import get_counter\nget_counter('k')\ndef rule(event):\n    return True\n"
        with LocalPack({"r.py": text}, [rule("r.py")]) as pack:
            self.assertIn("not at import", pack.report["rules"][0]["error"]["message"])

    def test_tests_leave_nothing_behind_and_can_mock(self) -> None:
        with LocalPack({"r.py": self.COUNT}, [rule("r.py")]) as pack:
            for _ in range(2):
                self.assertEqual(pack.test({"n": 0})["logs"], ["1"])
            mocked = pack.test({"n": 0}, mocks=[{"name": "increment_counter", "value": 99}])
            self.assertEqual(mocked["logs"], ["99"])
            self.assertEqual(pack.batch(({"n": 0}, [0]))["logs"][0]["text"], "1")


class Users(unittest.TestCase):
    """Which rules use the stateful helpers, so that the engine runs them in order and keeps their state."""

    OTHER = "def rule(event):\n    return True\n"
    RULE = "\ndef rule(event):\n    return helpers().increment_counter('k') > 0\n"

    def users(self, files: dict[str, str], **fields: Any) -> list[str]:
        rules = [rule(path) for path in sorted(files) if "def rule" in files[path]]
        with LocalPack(files, rules, **fields) as pack:
            self.assertEqual([report["error"] for report in pack.report["rules"] if "error" in report], [])
            return [rules[report["index"]]["id"] for report in pack.report["rules"] if report["uses_state"]]

    def test_import_statements(self) -> None:
        for line in ("import panther_detection_helpers.caching", "from panther_detection_helpers import caching",
                     "from panther_detection_helpers.caching import *", "def f():\n    import panther_detection_helpers"):
            self.assertEqual(self.users({"r.py": f"{line}\n{self.OTHER}", "s.py": self.OTHER}), ["r"], line)
        self.assertEqual(self.users({"helpers/h.py": "from panther_detection_helpers import caching\n",
                                     "r.py": f"import h\n{self.OTHER}", "s.py": self.OTHER}), ["r"])

    def test_other_ways_to_import(self) -> None:
        spelt = "'.'.join(['panther_detection_helpers', 'caching'])"
        for line in ("import importlib\nc = importlib.import_module('panther_detection_helpers.caching')",
                     "c = __import__('panther_detection_helpers.caching', fromlist=['caching'])",
                     f"import importlib\nc = importlib.import_module({spelt})", f"c = __import__({spelt}, fromlist=['a'])",
                     f"import sys\nf = sys.modules[{spelt}].get_counter", f"exec('from ' + {spelt} + ' import get_counter')",
                     "def f():\n    import importlib\n    return importlib.import_module('panther_detection_helpers.caching')"):
            with self.subTest(line):
                self.assertEqual(self.users({"r.py": f"{line}\n{self.OTHER}", "s.py": self.OTHER}), ["r"])
                self.assertEqual(self.users({"h.py": f"{line}\n", "r.py": f"import h\n{self.OTHER}", "s.py": self.OTHER}), ["r"])

    def test_in_doubt_it_is_every_rule(self) -> None:
        by_name = f"import importlib\nh = importlib.import_module('h')\n{self.OTHER}"
        self.assertEqual(self.users({"helpers/h.py": "from panther_detection_helpers import caching\n", "r.py": by_name,
                                     "s.py": self.OTHER}), ["r", "s"])
        self.assertEqual(self.users({"helpers/h.py": "X = 1\n", "r.py": by_name, "s.py": self.OTHER}), [])
        model = {"id": "m", "path": "m.yml", "python": "m.py", "log_types": ["AWS.CloudTrail"], "mappings": []}
        self.assertEqual(self.users({"m.py": "from panther_detection_helpers import caching\n", "r.py": self.OTHER},
                                    data_models=[model]), ["r"])

    def test_a_way_that_nobody_sees_is_an_error_not_an_empty_counter(self) -> None:
        hidden = "import sys\ndef helpers():\n    return sys.modules['panther_detection_' + 'helpers.caching']\n" + self.RULE
        with LocalPack({"r.py": hidden}, [rule("r.py")]) as pack:
            self.assertEqual(pack.report["rules"][0]["uses_state"], False)
            reply = pack.one({"a": 1})
            self.assertEqual((reply["error"]["type"], reply["matches"], reply["state"]), ("RuntimeError", [], []))
            self.assertIn("name them in an import statement", reply["error"]["message"])
            self.assertTrue(pack.test({"a": 1})["matched"])


if __name__ == "__main__":
    unittest.main()
