"""Paths and the unified data model."""
from __future__ import annotations

import unittest

from iota_worker.datamodel import Path, PathError

from .harness import panther, rule
from .local import LocalPack

DATA = {"a": {"b": [{"c": 1}, {"c": 2}, {"d": 3}], "dotted.key": 4, "c": 5}, "n": None, "e-f g": 6}


class Paths(unittest.TestCase):
    def test_finds(self) -> None:
        for text, expected in (
            ("$.a.b[0].c", [1]), ("a.b[0].c", [1]), ("$['a']['b'][1]['c']", [2]), ('$["a"]["dotted.key"]', [4]),
            ("a.b[-1].d", [3]), ("a.b[*].c", [1, 2]), ("$.a.b.*.c", [1, 2]), ("$..c", [5, 1, 2]), ("$..d", [3]),
            ("a.b[9].c", []), ("a.x.y", []), ("a.b.c", []), ("n", [None]), ("n.x", []), ("e-f g", [6]), ("$.*", None),
            ("a.b[0]['c']", [1]),
        ):
            with self.subTest(text):
                found = list(Path.parse(text).find(DATA))
                self.assertEqual(found, list(DATA.values()) if expected is None else expected)

    def test_values(self) -> None:
        self.assertEqual(Path.parse("a.b[0].c").value(DATA), 1)
        self.assertEqual(Path.parse("a.b[*].c").value(DATA), [1, 2])
        self.assertEqual(Path.parse("a.b[*].d").value(DATA), [3])
        self.assertEqual(Path.parse("a.b[*].x").value(DATA, "missing"), "missing")
        self.assertEqual(Path.of_keys(["a", "b", 1, "c"]).value(DATA), 2)

    def test_what_is_not_supported_says_so(self) -> None:
        for text in ("", "$", "$..", "a[?(@.x=='y')]", "a[1:2]", "a[", "a..", "a['x", 5, None, "a.b()"):
            with self.subTest(text), self.assertRaises(PathError):
                Path.parse(text)


MODEL = {"id": "Standard.AWS.CloudTrail", "path": "data_models/aws.yml", "python": "data_models/aws.py",
         "log_types": ["AWS.CloudTrail"],
         "mappings": [{"name": "actor_user", "path": "$.userIdentity.userName"},
                      {"name": "arns", "path": "$.resources[*].ARN"}, {"name": "who", "path": "userIdentity"},
                      {"name": "event_type", "method": "get_event_type"},
                      {"name": "broken", "method": "not_there"}, {"name": "odd", "path": "a[?(@)]"}]}
METHODS = "def get_event_type(event):\n    return 'type of ' + event.get('eventName')\n"
RECORD = {"userIdentity": {"userName": "ann"}, "eventName": "E", "p_udm": {"user": {"name": "from p_udm"}},
          "resources": [{"ARN": "x"}, {"ARN": "y"}], "other": "from the event"}


class Udm(unittest.TestCase):
    def check(self, expression: str, make: object = panther, record: object = RECORD, **fields: object) -> object:
        files = {"r.py": f"def rule(event):\n    return True\ndef alert_context(event):\n    return {{'v': {expression}}}\n",
                 "data_models/aws.py": METHODS}
        with LocalPack(files, [make("r.py", **fields)], data_models=[MODEL]) as pack:
            reply = pack.one(record)
            self.assertEqual(reply["errors"], [])
            return reply["match"]["context"]["v"]

    def test_both_dialects(self) -> None:
        for make in (panther, rule):
            for expression, expected in (
                ("event.udm('actor_user')", "ann"), ("event.udm('event_type')", "type of E"),
                ("event.udm('arns')", ["x", "y"]), ("event.udm('who')", {"userName": "ann"}),
                ("event.udm('user', 'name')", "from p_udm"), ("event.udm('other')", "from the event"),
                ("event.udm('nothing')", None), ("event.udm('nothing', default=1)", 1),
                ("event.udm('p_log_type')", "AWS.CloudTrail"),
                ("event.udm_path('actor_user')", "$.userIdentity.userName"), ("event.udm_path('event_type')", None),
                ("event.udm_path('user')", "p_udm.user"), ("event.udm_path('nothing')", None),
            ):
                with self.subTest(expression, dialect=make.__name__):
                    self.assertEqual(self.check(expression, make), expected)

    def test_the_model_is_chosen_by_log_type(self) -> None:
        self.assertIsNone(self.check("event.udm('actor_user')", log_type="Other.Log"))

    def test_a_mapping_that_does_not_work_is_reported_and_raises_when_used(self) -> None:
        files = {"r.py": "def rule(event):\n    return event.udm('broken')\n", "data_models/aws.py": METHODS}
        with LocalPack(files, [panther("r.py")], data_models=[MODEL]) as pack:
            messages = [warning["message"] for warning in pack.report["warnings"]]
            self.assertEqual(len(messages), 2)
            self.assertIn("no function 'not_there'", messages[0])
            self.assertIn("cannot read", messages[1])
            self.assertEqual(pack.one(RECORD)["error"]["type"], "LookupError")

    def test_a_data_model_that_does_not_import_stops_no_rule(self) -> None:
        files = {"r.py": "def rule(event):\n    return event.udm('actor_user') == 'ann'\n",
                 "data_models/aws.py": "x = 1\nimport nothing_of_that_name\n"}
        with LocalPack(files, [panther("r.py")], data_models=[MODEL]) as pack:
            first = pack.report["warnings"][0]
            self.assertEqual((first["path"], first["line"]), ("data_models/aws.py", 2))
            self.assertIsNotNone(pack.one(RECORD)["match"])

    def test_lookup(self) -> None:
        files = {"r.py": "def rule(event):\n    return event.lookup('accounts', event.get('id'))['name'] == 'prod'\n"
                         "def title(event):\n    return event.lookup('none', 'k')\n"}
        tables = {"accounts": {"1": {"name": "prod"}}}
        for make in (rule, panther):
            with LocalPack(files, [make("r.py")], lookup_tables=tables) as pack:
                reply = pack.one({"id": "1"})
                self.assertEqual(reply["match"]["title"], "r")
                self.assertEqual(reply["error"]["message"], "lookup table 'none' is not declared in pack.yaml")


if __name__ == "__main__":
    unittest.main()
