"""The contract table: types, fall-backs, limits, order, and that no failure is silent."""
from __future__ import annotations

import json
import textwrap
import unittest
from typing import Any

from .harness import panther, rule
from .local import LocalPack

BOTH = (rule, panther)


def module(body: str) -> str:
    return "def rule(event):\n    return True\n" + textwrap.dedent(body)


class Case(unittest.TestCase):
    def run_rule(self, source: str, make: Any = rule, record: Any = None, **fields: Any) -> dict[str, Any]:
        fields.setdefault("id", "My.Rule")
        with LocalPack({"r.py": source}, [make("r.py", **fields)]) as pack:
            self.assertNotIn("error", pack.report["rules"][0])
            return pack.one(record if record is not None else {"eventName": "E"})

    def failed(self, reply: dict[str, Any], function: str) -> dict[str, Any]:
        found = [error for error in reply["errors"] if error["function"] == function]
        self.assertEqual(len(found), 1, reply["errors"])
        self.assertEqual(found[0]["path"], "r.py")
        self.assertGreater(found[0]["line"], 0)
        return found[0]


class Rules(Case):
    def test_plain_takes_truth_and_panther_takes_bools(self) -> None:
        for value, truth in (("True", True), ("False", False), ("None", False), ("1", True), ("0", False),
                             ("'x'", True), ("''", False), ("{}", False), ("event", True), ("event.get('x')", False)):
            with self.subTest(value):
                source = f"def rule(event):\n    return {value}\n"
                reply = self.run_rule(source)
                self.assertEqual((bool(reply["matches"]), reply["errors"]), (truth, []))
                reply = self.run_rule(source, panther)
                if value in ("True", "False"):
                    self.assertEqual((bool(reply["matches"]), reply["errors"]), (truth, []))
                else:
                    self.assertEqual(reply["matches"], [])
                    self.assertRegex(self.failed(reply, "rule")["message"], "rule returned .*, expected a bool")

    def test_a_forgotten_call_is_no_match(self) -> None:
        source = "def inner():\n    yield 1\ndef rule(event):\n    return inner()\n"
        reply = self.run_rule(source)
        self.assertEqual(reply["matches"], [])
        self.assertIn("generator", self.failed(reply, "rule")["message"])

    def test_every_exception_is_that_rules_error(self) -> None:
        for raised in ("SystemExit(3)", "KeyboardInterrupt()", "GeneratorExit()", "MemoryError()", "RecursionError()",
                       "BaseException('x')", "StopIteration()", "KeyError('k')", "TypeError('own')"):
            for make in BOTH:
                with self.subTest(raised, dialect=make.__name__):
                    reply = self.run_rule(f"def rule(event):\n    raise {raised}\n", make)
                    self.assertEqual(reply["matches"], [])
                    error = self.failed(reply, "rule")
                    self.assertEqual((error["type"], error["line"]), (raised.partition("(")[0], 2))
                    self.assertIn('File "r.py", line 2, in rule\n    raise ', error["traceback"])

    def test_endless_recursion_and_huge_allocation(self) -> None:
        reply = self.run_rule("def rule(event):\n    return rule(event)\n")
        error = self.failed(reply, "rule")
        self.assertEqual(error["type"], "RecursionError")
        self.assertIn("more frames", error["traceback"])
        reply = self.run_rule("def rule(event):\n    return 'x' * (1 << 62)\n")
        self.assertEqual(self.failed(reply, "rule")["type"], "MemoryError")

    def test_truth_that_raises(self) -> None:
        source = ("class Odd:\n    def __bool__(self):\n        raise ValueError('no truth')\n"
                  "def rule(event):\n    return Odd()\n")
        self.assertEqual(self.failed(self.run_rule(source), "rule")["message"], "no truth")


class Signatures(Case):
    def test_functions_are_called_as_they_are_declared_and_never_again_on_a_type_error(self) -> None:
        """severity(event) called without an argument gave INFO for months, hidden by `except TypeError`."""
        for declared in ("def severity():", "def severity(event):", "def severity(event=None):",
                         "def severity(*args):", "def severity(event, /):", "def severity(e, *, extra=1):"):
            for make in BOTH:
                with self.subTest(declared, dialect=make.__name__):
                    reply = self.run_rule(module(f"{declared}\n    return 'high'\n"), make)
                    self.assertEqual((reply["match"]["severity"], reply["errors"]), ("HIGH", []))
        source = module("calls = []\ndef severity(event):\n    print('called')\n    return event.nothing_here()\n")
        reply = self.run_rule(source, panther)
        self.assertEqual([line["text"] for line in reply["logs"]], ["called"])
        self.assertEqual(self.failed(reply, "severity")["type"], "AttributeError")
        reply = self.run_rule(module("def severity(event):\n    print('called')\n    return len()\n"), panther)
        self.assertEqual(len(reply["logs"]), 1)
        self.assertEqual((self.failed(reply, "severity")["type"], reply["match"]["severity"]), ("TypeError", "MEDIUM"))

    def test_order_of_calls(self) -> None:
        names = ("unique", "alert_context", "dedup", "destinations", "runbook", "severity", "reference", "description",
                 "title")
        source = module("".join(f"def {name}(event):\n    print('{name}')\n    raise ValueError\n" for name in names))
        for make in BOTH:
            reply = self.run_rule(source, make)
            self.assertEqual([line["text"] for line in reply["logs"]],
                             ["title", "description", "reference", "severity", "runbook", "destinations", "dedup",
                              "alert_context", "unique"])
            self.assertEqual(len(reply["errors"]), 9)

    def test_values_pass_between_functions_with_global(self) -> None:
        source = ("def rule(event):\n    global FOUND\n    FOUND = event.get('eventName')\n    return True\n"
                  "def title(event):\n    return 'found ' + FOUND\n")
        with LocalPack({"r.py": source}, [rule("r.py"), rule("r.py", id="again")]) as pack:
            reply = pack.batch(({"eventName": "a"}, [0, 1]), ({"eventName": "b"}, [0, 1]))
            self.assertEqual([match["title"] for match in reply["matches"]], ["found a", "found a", "found b", "found b"])


class Fallbacks(Case):
    def test_title(self) -> None:
        for body in ("raise ValueError", "return None", "return 5", "return b'x'", "return ['x']"):
            for make in BOTH:
                with self.subTest(body, dialect=make.__name__):
                    reply = self.run_rule(module(f"def title(event):\n    {body}\n"), make, alert_title="Static")
                    self.assertEqual(reply["match"]["title"], "My.Rule")
                    self.failed(reply, "title")
        for make in BOTH:
            self.assertEqual(self.run_rule(module(""), make)["match"]["title"], "My.Rule")
            self.assertEqual(self.run_rule(module(""), make, alert_title="Static")["match"]["title"], "Static")
            reply = self.run_rule(module("def title(event):\n    return ''\n"), make)
            self.assertEqual((reply["match"]["title"], reply["errors"]), ("My.Rule", []))

    def test_dedup(self) -> None:
        title = "def title(event):\n    return 'T'\n"
        default = "defaultDedupString:My.Rule"
        for body, in_plain, in_panther in (
            ("", "My.Rule", default), (title, "T", "T"),
            (title + "def dedup(event):\n    return 'd'\n", "d", "d"),
            (title + "def dedup(event):\n    return ''\n", "T", default),
            (title + "def dedup(event):\n    return None\n", "T", default),
            (title + "def dedup(event):\n    raise ValueError\n", "T", default),
            ("def dedup(event):\n    raise ValueError\n", "My.Rule", default),
        ):
            for make, expected in ((rule, in_plain), (panther, in_panther)):
                with self.subTest(body, dialect=make.__name__):
                    reply = self.run_rule(module(body), make)
                    self.assertEqual(reply["match"]["dedup"], expected)
                    self.assertEqual(len(reply["errors"]), int("raise" in body or "None" in body))

    def test_severity(self) -> None:
        for returned, static, expected, failures in (
            ("'high'", "LOW", "HIGH", 0), ("'Critical'", None, "CRITICAL", 0), ("'DEFAULT'", "LOW", "LOW", 0),
            ("'default'", None, "INFO", 0), ("'SEVERE'", "LOW", "LOW", 1), ("None", "LOW", "LOW", 1),
            ("3", None, "INFO", 1), ("event['none']", "HIGH", "HIGH", 1),
        ):
            for make in BOTH:
                with self.subTest(returned, static=static, dialect=make.__name__):
                    reply = self.run_rule(module(f"def severity(event):\n    return {returned}\n"), make, severity=static)
                    self.assertEqual(reply["match"]["severity"], expected)
                    self.assertEqual(len(reply["errors"]), failures)
        self.assertEqual(self.run_rule(module(""))["match"]["severity"], "INFO")
        self.assertEqual(self.run_rule(module(""), panther, severity="Medium")["match"]["severity"], "MEDIUM")

    def test_description_reference_runbook(self) -> None:
        for name in ("description", "reference", "runbook"):
            self.assertNotIn(name, self.run_rule(module(""))["match"])
            self.assertEqual(self.run_rule(module(f"def {name}(event):\n    return 'x' * 1001\n"))["match"][name],
                             "x" * 985 + "... (truncated)")
            for body in ("return 5", "raise ValueError"):
                reply = self.run_rule(module(f"def {name}(event):\n    {body}\n"), panther)
                self.assertEqual(reply["match"][name], "")
                self.failed(reply, name)

    def test_destinations(self) -> None:
        self.assertNotIn("destinations", self.run_rule(module(""))["match"])
        for returned, expected, failures in (
            ("None", None, 0), ("[]", [], 0), ("['a', 'b']", ["a", "b"], 0), ("'a'", None, 1), ("('a',)", None, 1),
            ("[1]", None, 1), ("[str(i) for i in range(12)]", [str(i) for i in range(10)], 1), ("1 / 0", None, 1),
        ):
            with self.subTest(returned):
                reply = self.run_rule(module(f"def destinations(event):\n    return {returned}\n"), panther)
                self.assertEqual(reply["match"]["destinations"], expected)
                self.assertEqual(len(reply["errors"]), failures)

    def test_unique(self) -> None:
        self.assertNotIn("unique", self.run_rule(module(""))["match"])
        for returned, expected, failures in (("'u'", "u", 0), ("None", None, 1), ("5", None, 1)):
            reply = self.run_rule(module(f"def unique(event):\n    return {returned}\n"), panther)
            self.assertEqual((reply["match"]["unique"], len(reply["errors"])), (expected, failures))


class Context(Case):
    def context(self, returned: str, make: Any = rule, record: Any = None) -> tuple[Any, dict[str, Any]]:
        reply = self.run_rule(module(f"def alert_context(event):\n    return {returned}\n"), make, record)
        return reply["match"]["context"], reply

    def test_what_is_json_comes_through(self) -> None:
        record = {"a": [1, {"b": None}], "eventName": "E", "big": 2 ** 70}
        for make in BOTH:
            for returned, expected in (
                ("{}", {}), ("event.get('a')[1]", {"b": None}), ("{'e': event.get('a')}", {"e": [1, {"b": None}]}),
                ("{1: 'x', None: 2}", {"1": "x", "null": 2}), ("{'big': event.get('big')}", {"big": 2 ** 70}),
                ("dict(a=event.deep_get('a'))", {"a": [1, {"b": None}]}),
                ("{k: event.get(k) for k in ('a', 'no')}", {"a": [1, {"b": None}], "no": None}),
            ):
                with self.subTest(returned, dialect=make.__name__):
                    context, reply = self.context(returned, make, record)
                    self.assertEqual((context, reply["errors"]), (expected, []))
            context, reply = self.context("event", make, record)
            self.assertEqual({**context, **record}, context)
            self.assertEqual(reply["errors"], [])

    def test_no_alert_context_no_field(self) -> None:
        self.assertNotIn("context", self.run_rule(module(""))["match"])

    def test_what_is_not_json_becomes_an_error(self) -> None:
        for returned, message in (
            ("{'x': float('nan')}", "JSON compliant"), ("{'x': float('inf')}", "JSON compliant"), ("{'x': {1, 2}}", "set"),
            ("{'x': object()}", "object"), ("{(1, 2): 3}", "tuple"), ("None", "expected a mapping"),
            ("[1]", "expected a mapping"), ("{'x': b'y'}", "bytes"),
        ):
            for make in BOTH:
                with self.subTest(returned, dialect=make.__name__):
                    context, reply = self.context(returned, make)
                    self.assertEqual(list(context), ["_error"])
                    self.assertRegex(context["_error"], message)
                    self.assertEqual(len(reply["errors"]), 1)
                    self.failed(reply, "alert_context")

    def test_an_exception_is_told_in_the_context(self) -> None:
        context, reply = self.context("event['nothing']")
        self.assertEqual(context, {"_error": "KeyError('nothing')"})
        self.assertEqual(self.failed(reply, "alert_context")["type"], "KeyError")

    def test_a_loop_and_too_much_depth(self) -> None:
        source = module("def alert_context(event):\n    a = {}\n    a['a'] = a\n    return a\n")
        self.assertIn("_error", self.run_rule(source)["match"]["context"])
        for levels, fits in ((300, True), (301, False), (5_000, False), (99_999, False)):
            with self.subTest(levels):
                source = module(f"def alert_context(event):\n    a = 'a[[{{'\n    for _ in range({levels}):\n        a = {{'a': a}}\n"
                                "    return a\n")
                reply = self.run_rule(source)
                self.assertEqual("_error" not in reply["match"]["context"], fits)
                if not fits:
                    self.assertEqual(self.failed(reply, "alert_context")["message"],
                                     "alert_context is nested more than 300 levels deep")

    def test_the_limit(self) -> None:
        fits, _ = self.context("{'x': 'é' * (204800 - len('{\"x\":\"\"}'))}")
        self.assertEqual(len(fits["x"]), 204800 - 8)
        context, reply = self.context("{'x': 'x' * 204800}")
        self.assertIn("204808 characters", context["_error"])
        self.assertIn("204800", self.failed(reply, "alert_context")["message"])

    def test_a_later_change_of_a_shared_object_does_not_reach_an_earlier_match(self) -> None:
        source = module("SHARED = {}\ndef alert_context(event):\n    SHARED['n'] = event['n']\n    return SHARED\n")
        with LocalPack({"r.py": source}, [rule("r.py")]) as pack:
            reply = pack.batch(({"n": 1}, [0]), ({"n": 2}, [0]))
            self.assertEqual([match["context"]["n"] for match in reply["matches"]], [1, 2])


class Limits(Case):
    def test_long_titles_and_dedup_strings(self) -> None:
        for name in ("title", "dedup"):
            for length, expected in ((1000, "é" * 1000), (1001, "é" * 985 + "... (truncated)")):
                reply = self.run_rule(module(f"def {name}(event):\n    return 'é' * {length}\n"), panther)
                self.assertEqual(reply["match"][name], expected)
                self.assertEqual(len(reply["match"][name]), 1000)

    def test_lone_surrogates_become_replacement_characters_everywhere(self) -> None:
        source = module('''
            BAD = "a\\ud800b"
            def title(event): return BAD
            def dedup(event): return event.get("s")
            def description(event): return BAD
            def runbook(event): raise ValueError(BAD)
            def destinations(event): return [BAD]
            def unique(event): return BAD
            def alert_context(event):
                print(BAD)
                return {BAD: [BAD]}
        ''')
        reply = self.run_rule(source, record='{"s": "\\udfff\\ud83d\\ude00"}')
        good = "a\ufffdb"
        match = reply["match"]
        self.assertEqual((match["title"], match["description"], match["unique"]), (good, good, good))
        self.assertEqual(match["dedup"], "\ufffd\U0001f600")
        self.assertEqual((match["destinations"], match["context"]), ([good], {good: [good]}))
        self.assertEqual((reply["error"]["message"], reply["logs"][0]["text"]), (good, good))

    def test_exceptions_are_bounded_and_never_raise_themselves(self) -> None:
        source = '''
            class Hostile(Exception):
                def __str__(self): raise RuntimeError("no text")
                __repr__ = __str__
            def rule(event):
                if event["kind"] == "hostile": raise Hostile
                if event["kind"] == "long": raise ValueError("x" * 10_000_000)
                try:
                    try:
                        int("x")
                    except ValueError as exc:
                        raise KeyError("second") from exc
                except KeyError:
                    raise OSError("third")
        '''
        with LocalPack({"r.py": textwrap.dedent(source)}, [panther("r.py")]) as pack:
            error = pack.one({"kind": "hostile"})["error"]
            self.assertEqual((error["type"], error["message"]), ("Hostile", "<str() of Hostile raised RuntimeError>"))
            error = pack.one({"kind": "long"})["error"]
            self.assertEqual((len(error["message"]), len(error["traceback"]) <= 8000), (2000, True))
            chain = pack.one({"kind": "chain"})["error"]["traceback"]
            self.assertLess(chain.index("invalid literal"), chain.index("second"))
            self.assertLess(chain.index("second"), chain.index("third"))

    def test_a_hostile_repr_in_the_context_error(self) -> None:
        source = module('''
            class Hostile(Exception):
                def __str__(self): raise RuntimeError
                __repr__ = __str__
            def alert_context(event): raise Hostile
        ''')
        self.assertEqual(self.run_rule(source)["match"]["context"], {"_error": "<Hostile>"})

    def test_a_rule_that_always_fails_does_not_flood_the_reply(self) -> None:
        with LocalPack({"r.py": "def rule(event):\n    raise ValueError\n"}, [rule("r.py")]) as pack:
            reply = pack.batch(*[({"n": n}, [0]) for n in range(50)])
            self.assertEqual(len(reply["errors"]), 50)
            self.assertEqual(sum(bool(error["traceback"]) for error in reply["errors"]), 20)
            self.assertTrue(all(error["line"] == 2 for error in reply["errors"]))

    def test_tracebacks_start_at_the_rule_and_show_no_worker_frames(self) -> None:
        source = "import json\ndef rule(event):\n    return json.loads('{')\n"
        trace = self.failed(self.run_rule(source), "rule")["traceback"]
        self.assertTrue(trace.startswith('Traceback (most recent call last):\n  File "r.py", line 3, in rule\n'), trace)
        self.assertNotIn("iota_worker", trace)
        self.assertIn("JSONDecodeError: Expecting property name", trace)


class Isolation(Case):
    def test_no_rule_sees_what_another_did_to_the_event(self) -> None:
        attack = ("def rule(event):\n"
                  "    for change in (lambda: event.update(x=1), lambda: event['a'].append(1), lambda: event.pop('a'),\n"
                  "                   lambda: event['o'].clear(), lambda: setattr(event, 'get', None)):\n"
                  "        try:\n            change()\n        except (TypeError, AttributeError):\n            pass\n"
                  "    mine = event.copy()\n    mine['a'].append(5)\n    mine['o']['k'] = 5\n    return False\n")
        look = "def rule(event):\n    return True\ndef alert_context(event):\n    return {'a': event['a'], 'o': event['o']}\n"
        for make in BOTH:
            with LocalPack({"a.py": attack, "b.py": look}, [make("a.py"), make("b.py")]) as pack:
                reply = pack.batch(({"a": [1], "o": {"k": 1}}, [0, 1]))
                self.assertEqual(reply["errors"], [])
                self.assertEqual(reply["matches"][0]["context"], {"a": [1], "o": {"k": 1}})

    def test_dialects_and_log_types_side_by_side(self) -> None:
        source = module("def title(event):\n    return f\"{isinstance(event, dict)} {event.get('p_log_type')}\"\n")
        rules = [rule("r.py"), panther("r.py", id="p"), rule("r.py", id="o", log_type="Other"), rule("r.py", id="q")]
        with LocalPack({"r.py": source}, rules) as pack:
            reply = pack.batch(({"a": 1}, [0, 1, 2, 3]))
            self.assertEqual([match["title"] for match in reply["matches"]],
                             ["True AWS.CloudTrail", "False AWS.CloudTrail", "True Other", "True AWS.CloudTrail"])
            self.assertEqual([match["rule"] for match in reply["matches"]], [0, 1, 2, 3])

    def test_a_record_that_cannot_be_decoded_is_an_error_of_each_pair(self) -> None:
        with LocalPack({"r.py": module("")}, [rule("r.py"), rule("r.py", id="b")]) as pack:
            reply = pack.batch(("[" * 100_000, [0, 1]), ({"a": 1}, [0]))
            self.assertEqual([(error["record"], error["rule"], error["function"]) for error in reply["errors"]],
                             [(0, 0, "rule"), (0, 1, "rule")])
            self.assertEqual(len(reply["matches"]), 1)


class Reply(Case):
    def test_only_matches_and_failures_are_listed_in_order(self) -> None:
        source = "def rule(event):\n    if event['n'] == 2:\n        raise ValueError\n    return event['n'] == 1\n"
        with LocalPack({"r.py": source}, [rule("r.py"), rule("r.py", id="b")]) as pack:
            reply = pack.batch(({"n": 0}, [0, 1]), ({"n": 1}, [0, 1]), ({"n": 2}, [1]), ({"n": 1}, []))
            self.assertEqual([(match["record"], match["rule"]) for match in reply["matches"]], [(1, 0), (1, 1)])
            self.assertEqual([(error["record"], error["rule"]) for error in reply["errors"]], [(2, 1)])
            self.assertEqual(sorted(reply["nanos"]), ["0", "1"])
            self.assertTrue(all(spent > 0 for spent in reply["nanos"].values()))
            self.assertEqual(reply["state"], [])

    def test_many_rules_are_all_evaluated_whether_timed_or_not(self) -> None:
        with LocalPack({"r.py": module("")}, [rule("r.py", id=f"r{n}") for n in range(40)]) as pack:
            for _ in range(40):
                reply = pack.batch(({"n": 0}, list(range(40))))
                self.assertEqual([match["rule"] for match in reply["matches"]], list(range(40)))

    def test_a_rule_that_did_not_load_cannot_be_asked_for(self) -> None:
        with LocalPack({"r.py": "syntax error"}, [rule("r.py")]) as pack:
            with self.assertRaisesRegex(LookupError, "rule 0, which did not load"):
                pack.batch(({"n": 0}, [0]))

    def test_numbers_survive(self) -> None:
        reply = self.run_rule(module("def alert_context(event):\n    return {'n': event['n']}\n"),
                              record='{"n": [9007199254740993, 1.10, -0.0, 1e3]}')
        self.assertEqual(json.dumps(reply["match"]["context"]["n"]), "[9007199254740993, 1.1, -0.0, 1000.0]")


if __name__ == "__main__":
    unittest.main()
