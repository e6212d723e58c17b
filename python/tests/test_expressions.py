"""Match expressions: inline filters, simple detections and their alert fields."""
from __future__ import annotations

import unittest
from typing import Any

from iota_worker import expressions
from iota_worker.expressions import ExpressionError, compile_detection, compile_filters

from .harness import panther, rule
from .local import LocalPack

DATA = {
    "name": "Pluto", "count": 5, "ratio": 2.5, "flag": True, "nothing": None, "empty": "", "tags": ["A", "b"],
    "ip": "10.1.2.3", "public": "8.8.8.8", "v6": "2001:4860:4860::8888", "range": "10.0.0.0/8", "other": "Pluto",
    "limit": 9, "inner": {"leaf": "x", "list": [1, 2]},
    "moons": [{"name": "Charon", "year": 1978}, {"name": "Nix", "year": 2005}, {"name": "Hydra", "year": 2005}],
}


def detect(expression: Any, data: Any = DATA) -> bool:
    return compile_detection([expression])(data)


def passes(expression: Any, data: Any = DATA) -> bool:
    return compile_filters([expression])(data)


def value(key: str, condition: str, operand: Any) -> dict[str, Any]:
    return {"KeyPath": key, "Condition": condition, "Value": operand}


class Conditions(unittest.TestCase):
    def test_scalar_conditions_and_their_inverses(self) -> None:
        for key, condition, inverse, operand, expected in (
            ("name", "Equals", "DoesNotEqual", "Pluto", True), ("name", "Equals", "DoesNotEqual", "pluto", False),
            ("count", "Equals", "DoesNotEqual", 5, True), ("count", "Equals", "DoesNotEqual", 5.0, True),
            ("count", "Equals", "DoesNotEqual", "5", False), ("flag", "Equals", "DoesNotEqual", True, True),
            ("flag", "Equals", "DoesNotEqual", 1, False),
            ("name", "IEquals", "IDoesNotEqual", "PLUTO", True), ("count", "IEquals", "IDoesNotEqual", 5, True),
            ("name", "StartsWith", "DoesNotStartWith", "Pl", True),
            ("name", "StartsWith", "DoesNotStartWith", "pl", False),
            ("name", "IStartsWith", "IDoesNotStartWith", "pL", True),
            ("name", "EndsWith", "DoesNotEndWith", "to", True), ("name", "IEndsWith", "IDoesNotEndWith", "TO", True),
            ("count", "StartsWith", "DoesNotStartWith", "5", False),
            ("name", "Contains", "DoesNotContain", "lut", True), ("name", "IContains", "IDoesNotContain", "LUT", True),
            ("tags", "Contains", "DoesNotContain", "A", True), ("tags", "Contains", "DoesNotContain", "a", False),
            ("tags", "IContains", "IDoesNotContain", "a", True), ("inner.list", "Contains", "DoesNotContain", 2, True),
            ("count", "Contains", "DoesNotContain", 5, False),
            ("moons[*].name", "Contains", "DoesNotContain", "Nix", True),
            ("nothing", "Equals", "DoesNotEqual", "x", False), ("missing", "Equals", "DoesNotEqual", "x", False),
            ("nothing", "Contains", "DoesNotContain", "x", False), ("nothing", "Equals", "DoesNotEqual", None, True),
        ):
            with self.subTest(key=key, condition=condition, operand=operand):
                self.assertIs(detect(value(key, condition, operand)), expected)
                self.assertIs(detect(value(key, inverse, operand)), not expected)

    def test_order(self) -> None:
        for condition, operand, expected in (
            ("IsGreaterThan", 4, True), ("IsGreaterThan", 5, False), ("IsGreaterThanOrEqual", 5, True),
            ("IsGreaterThanOrEquals", 5, True), ("IsLessThan", 6, True), ("IsLessThanOrEqual", 4, False),
            ("IsLessThanOrEquals", 5, True), ("IsGreaterThan", "4", False), ("IsGreaterThan", True, False),
        ):
            with self.subTest(condition, operand=operand):
                self.assertIs(detect(value("count", condition, operand)), expected)
        self.assertTrue(detect(value("name", "IsGreaterThan", "Earth")))
        self.assertFalse(detect(value("missing", "IsLessThan", 9)))

    def test_lists(self) -> None:
        for values, expected in ((["Earth", "Pluto"], True), (["Earth"], False), ([], False)):
            self.assertIs(detect({"Key": "name", "Condition": "IsIn", "Values": values}), expected)
            self.assertIs(detect({"Key": "name", "Condition": "IsNotIn", "Values": values}), not expected)
        self.assertFalse(detect({"Key": "missing", "Condition": "IsIn", "Values": ["x"]}))
        self.assertTrue(detect({"Key": "missing", "Condition": "IsNotIn", "Values": ["x"]}))

    def test_existence_and_null(self) -> None:
        for key, exists, null, empty in (("name", True, False, False), ("nothing", True, True, True),
                                         ("missing", False, True, True), ("empty", True, False, True)):
            for condition, expected in (("Exists", exists), ("DoesNotExist", not exists), ("IsNull", null),
                                        ("IsNotNull", not null), ("IsNullOrEmpty", empty),
                                        ("IsNotNullOrEmpty", not empty)):
                with self.subTest(key, condition=condition):
                    self.assertIs(detect({"Key": key, "Condition": condition}), expected)

    def test_addresses(self) -> None:
        for key, condition, expected in (
            ("ip", "IsIPAddress", True), ("name", "IsIPAddress", False), ("count", "IsIPAddress", False),
            ("ip", "IsIPv4Address", True), ("v6", "IsIPv4Address", False), ("v6", "IsIPv6Address", True),
            ("ip", "IsIPAddressPrivate", True), ("public", "IsIPAddressPrivate", False),
            ("public", "IsIPAddressPublic", True), ("v6", "IsIPAddressPublic", True),
            ("ip", "IsIPAddressPublic", False), ("missing", "IsIPAddressPublic", False),
        ):
            with self.subTest(key, condition=condition):
                self.assertIs(detect({"Key": key, "Condition": condition}), expected)
        self.assertTrue(detect(value("ip", "IsIPAddressInCIDR", "10.0.0.0/8")))
        self.assertFalse(detect(value("ip", "IsIPAddressNotInCIDR", "10.0.0.0/8")))
        self.assertFalse(detect(value("v6", "IsIPAddressInCIDR", "10.0.0.0/8")))
        self.assertTrue(detect(value("name", "IsIPAddressNotInCIDR", "10.0.0.0/8")), "does not apply: inverse is true")
        several = {"Key": "ip", "Condition": "IsIPAddressInCIDR", "Values": ["192.168.0.0/16", "10.0.0.0/8"]}
        self.assertTrue(detect(several))
        self.assertTrue(detect(value("range", "CIDRContainsIPAddresses", "10.9.9.9")))
        self.assertTrue(detect({"Key": "range", "Condition": "CIDRDoesNotContainIPAddresses", "Values": ["8.8.8.8"]}))

    def test_key_specifiers(self) -> None:
        self.assertTrue(detect({"DeepKey": ["inner", "leaf"], "Condition": "Equals", "Value": "x"}))
        self.assertTrue(detect({"DeepKey": ["moons", 1, "name"], "Condition": "Equals", "Value": "Nix"}))
        self.assertTrue(detect({"KeyPath": "moons[0].year", "Condition": "Equals", "Value": 1978}))
        self.assertTrue(detect({"Key": "a.b", "Condition": "Equals", "Value": 1}, {"a.b": 1}))

    def test_two_keys(self) -> None:
        def compare(condition: str, left: str, right: str) -> bool:
            return detect({"Condition": condition, "Values": [{"Key": left}, {"KeyPath": right}]})

        self.assertTrue(compare("Equals", "name", "other"))
        self.assertTrue(compare("IsLessThan", "count", "limit"))
        self.assertFalse(compare("Equals", "name", "missing"))
        self.assertTrue(compare("DoesNotEqual", "name", "missing"))

    def test_elements(self) -> None:
        def elements(condition: str, expressions_: Any, key: str = "moons") -> bool:
            return detect({"Key": key, "Condition": condition, "Expressions": expressions_})

        late = [value("year", "IsGreaterThan", 2000)]
        nix = [value("name", "Equals", "Nix"), value("year", "Equals", 2005)]
        for condition, expected in (("AnyElement", True), ("AllElements", False), ("OnlyOneElement", False),
                                    ("NoElement", False)):
            self.assertIs(elements(condition, late), expected, condition)
        self.assertTrue(elements("OnlyOneElement", nix))
        self.assertTrue(elements("AllElements", [{"Key": "name", "Condition": "Exists"}]))
        self.assertTrue(elements("AnyElement", [{"Condition": "Equals", "Value": "b"}], "tags"))
        self.assertFalse(elements("AnyElement", late, "name"))
        self.assertTrue(elements("NoElement", late, "missing"))
        self.assertFalse(elements("AllElements", late, "missing"))

    def test_combinators(self) -> None:
        yes, no = {"Condition": "AlwaysTrue"}, {"Condition": "AlwaysFalse"}
        for combinator, parts, expected in (
            ("All", [yes, yes], True), ("All", [yes, no], False), ("Any", [no, yes], True), ("Any", [no, no], False),
            ("OnlyOne", [yes, no], True), ("OnlyOne", [yes, yes], False), ("None", [no, no], True),
            ("None", [no, yes], False),
        ):
            self.assertIs(detect({combinator: parts}), expected, (combinator, expected))
        self.assertFalse(compile_detection([yes, no])({}), "a list means All")
        self.assertTrue(detect({"Any": [no, {"All": [yes, {"None": [no]}]}]}))


class InlineFilters(unittest.TestCase):
    def test_a_missing_field_passes(self) -> None:
        for expression in (value("missing", "Equals", "x"), value("a.b.c", "DoesNotEqual", "x"),
                           {"Key": "missing", "Condition": "IsIn", "Values": ["x"]},
                           {"Key": "missing", "Condition": "IsNullOrEmpty"},
                           {"Key": "missing", "Condition": "IsNotNullOrEmpty"},
                           value("missing", "IsIPAddressInCIDR", "10.0.0.0/8"),
                           {"Key": "missing", "Condition": "AllElements", "Expressions": [{"Condition": "IsNull"}]}):
            with self.subTest(expression):
                self.assertTrue(passes(expression))
        self.assertFalse(passes({"Key": "missing", "Condition": "Exists"}))

    def test_null_fails_positive_and_passes_inverse_conditions(self) -> None:
        self.assertFalse(passes(value("nothing", "Equals", "x")))
        self.assertTrue(passes(value("nothing", "DoesNotEqual", "x")))
        self.assertFalse(passes(value("nothing", "IsGreaterThan", 1)))
        self.assertFalse(passes({"Key": "nothing", "Condition": "IsIPAddressPublic"}))
        self.assertTrue(passes(value("nothing", "IsIPAddressNotInCIDR", "10.0.0.0/8")))
        self.assertTrue(passes({"Key": "nothing", "Condition": "IsNullOrEmpty"}))

    def test_all_filters_must_pass(self) -> None:
        filters = compile_filters([value("name", "Equals", "Pluto"), value("count", "Equals", 6)])
        self.assertFalse(filters(DATA))


class Refused(unittest.TestCase):
    def test_unknown_or_malformed_expressions_name_their_place(self) -> None:
        for expression, message in (
            ({"Key": "a", "Condition": "Matches", "Value": "x"}, r"Detection\[0\]: unknown condition 'Matches'"),
            ({"Key": "a", "Condition": ["Equals"]}, "unknown condition"),
            ({"Any": [{"Key": "a", "Condition": "Nope"}]}, r"Detection\[0\].Any\[0\]: unknown condition"),
            ({"Some": []}, "unknown condition None"), ({"Any": []}, "a list of match expressions"),
            ("Equals", "is a mapping"), ({"Key": "a", "Condition": "Equals"}, "needs a Value"),
            ({"Key": "a", "Condition": "IsIn", "Value": "x"}, "unexpected Value"),
            ({"Key": "a", "Condition": "IsIn"}, "list of Values"),
            ({"Key": "a", "KeyPath": "b", "Condition": "Exists"}, "only one of"),
            ({"Key": "a", "Condition": "Equals", "Value": 1, "Typo": 2}, "unexpected Typo"),
            ({"KeyPath": "a[?(@)]", "Condition": "Exists"}, "cannot read"),
            ({"Key": "a", "Condition": "IsIPAddressInCIDR", "Value": "nowhere"}, "a CIDR range"),
            ({"Condition": "Equals", "Values": [{"Key": "a"}]}, "exactly two"),
            ({"Enrichment": {"Table": "t"}, "Condition": "Equals"}, "enrichment"),
            ({"Key": "a", "Condition": "AnyElement"}, "a list of match expressions"),
            ({"Condition": "AlwaysTrue", "Key": "a"}, "unexpected Key"),
        ):
            with self.subTest(expression), self.assertRaisesRegex(ExpressionError, message):
                compile_detection([expression])


class SimpleDetections(unittest.TestCase):
    SPEC: dict[str, Any] = dict(
        detection=[value("eventName", "Equals", "ConsoleLogin")], severity="LOW", id="My.Yaml",
        alert_title="{userIdentity.arn} of {missing.x} with {additional}",
        alert_context=[{"KeyName": "who", "KeyValue": {"KeyPath": "userIdentity.arn"}},
                       {"KeyName": "none", "KeyValue": {"Key": "missing"}}],
        group_by=[{"KeyPath": "userIdentity.arn"}, "awsRegion"],
        dynamic_severities=[{"ChangeTo": "High", "Conditions": [value("awsRegion", "Equals", "us-east-1")]},
                            {"ChangeTo": "Critical", "Conditions": [{"Condition": "AlwaysTrue"}]}])
    RECORD = {"eventName": "ConsoleLogin", "userIdentity": {"arn": "arn:x"}, "awsRegion": "us-east-1",
              "additional": {"MFA": False}}

    def test_a_rule_without_python(self) -> None:
        for make in (rule, panther):
            with self.subTest(make.__name__), LocalPack({}, [make(None, **self.SPEC)]) as pack:
                self.assertNotIn("error", pack.report["rules"][0])
                match = pack.one(self.RECORD)["match"]
                self.assertEqual(match["title"], 'arn:x of <unknown> with {"MFA": false}')
                self.assertEqual(match["dedup"], '["arn:x", "us-east-1"]')
                self.assertEqual(match["severity"], "HIGH")
                self.assertEqual(match["context"], {"who": "arn:x", "none": None})
                self.assertIsNone(pack.one({"eventName": "Other"})["match"])

    def test_the_static_severity_holds_when_no_condition_matches(self) -> None:
        spec = {**self.SPEC, "dynamic_severities": self.SPEC["dynamic_severities"][:1]}
        with LocalPack({}, [panther(None, **spec)]) as pack:
            self.assertEqual(pack.one({**self.RECORD, "awsRegion": "eu-west-1"})["match"]["severity"], "LOW")

    def test_one_group_key_is_its_value(self) -> None:
        with LocalPack({}, [panther(None, **{**self.SPEC, "group_by": [{"Key": "awsRegion"}]})]) as pack:
            self.assertEqual(pack.one(self.RECORD)["match"]["dedup"], "us-east-1")

    def test_an_unknown_operator_is_a_load_error_of_that_rule_only(self) -> None:
        bad = panther("a.py", inline_filters=[value("x", "Resembles", 1)])
        with LocalPack({"a.py": "def rule(event):\n    return True\n"}, [bad, panther("a.py", id="good")]) as pack:
            first, second = pack.report["rules"]
            self.assertEqual(first["error"]["message"], "InlineFilters[0]: unknown condition 'Resembles'")
            self.assertEqual((first["error"]["type"], first["error"]["path"]), ("ExpressionError", "a.py"))
            self.assertNotIn("error", second)

    def test_filters_come_before_rule(self) -> None:
        source = "def rule(event):\n    print('ran')\n    return True\n"
        for make in (rule, panther):
            with LocalPack({"a.py": source}, [make("a.py", inline_filters=[value("env", "Equals", "prod")])]) as pack:
                stopped = pack.one({"env": "test"})
                self.assertEqual((stopped["matches"], stopped["logs"]), ([], []))
                self.assertIsNotNone(pack.one({"env": "prod"})["match"])
                self.assertIsNotNone(pack.one({})["match"])
                self.assertTrue(pack.test({"env": "test"})["filtered"])
                self.assertTrue(pack.test({"env": "prod"})["matched"])

    def test_malformed_alert_fields_are_load_errors(self) -> None:
        for field, wrong in (("alert_title", "{}"), ("alert_context", [{"KeyName": "a"}]), ("group_by", [{"No": 1}]),
                             ("dynamic_severities", [{"ChangeTo": "Loud", "Conditions": [{"Condition": "AlwaysTrue"}]}])):
            with self.subTest(field), LocalPack({}, [panther(None, **{**self.SPEC, field: wrong})]) as pack:
                self.assertEqual(pack.report["rules"][0]["error"]["type"], "ExpressionError")

    def test_missing_and_unknown_words(self) -> None:
        self.assertEqual(expressions.compile_title("a {b} c")({"b": None}), "a <unknown> c")
        self.assertEqual(expressions.compile_title("plain")({}), "plain")


if __name__ == "__main__":
    unittest.main()
