"""The event objects: what the rule contract says of both dialects."""
from __future__ import annotations

import copy
import json
import pickle
import unittest
from collections.abc import Mapping, Sequence
from typing import Any

from iota_worker import events
from iota_worker.events import ImmutableList, NoPack, PantherEvent, decode_panther, decode_plain

events.teach_json()

RECORD = {
    "eventName": "PutObject", "eventTime": "2024-01-19T13:47:18Z", "responseElements": None,
    "userIdentity": {"type": "IAMUser", "sessionContext": None, "tags": [{"k": "a"}, {"k": "b"}, {"k": "a"}, {}]},
    "resources": [{"ARN": "x", "nested": [[1, {"deep": [2]}]]}], "numbers": [3, 1, 2],
}
SUPPLIED = {"p_log_type": "AWS.CloudTrail", "p_event_time": "2024-01-19 13:47:18.000000000",
            "p_parse_time": "2025-01-01 00:00:00.000000000"}


def plain(record: Any = RECORD) -> Any:
    text = record if isinstance(record, str) else json.dumps(record)
    return events.plain_event(decode_plain(text), SUPPLIED, NoPack())


def panther(record: Any = RECORD) -> Any:
    text = record if isinstance(record, str) else json.dumps(record)
    return events.panther_event(decode_panther(text), SUPPLIED, NoPack())


class Decoding(unittest.TestCase):
    def test_nothing_that_is_valid_json_raises(self) -> None:
        deep = "[" * 255 + "1" + "]" * 255
        digits = "9" * 4300
        for make in (plain, panther):
            with self.subTest(make.__name__):
                event = make('{"a": 1, "a": 2, "big": %s, "deep": %s, "s": "\\ud800", "e": "\\u00e9"}' % (digits, deep))
                self.assertEqual(event["a"], 2, "the last of duplicate keys wins")
                self.assertEqual(event["big"], int(digits))
                self.assertEqual((event["s"], event["e"]), ("\ud800", "é"))
                value, depth = event["deep"], 0
                while value != 1:
                    value, depth = value[0], depth + 1
                self.assertEqual(depth, 255)

    def test_deep_objects(self) -> None:
        text = '{"a":' * 256 + "[1]" + "}" * 256
        for make in (plain, panther):
            with self.subTest(make.__name__):
                self.assertEqual(make(text).deep_get(*["a"] * 256)[0], 1)


class Plain(unittest.TestCase):
    def test_is_a_dict(self) -> None:
        event = plain()
        self.assertIsInstance(event, dict)
        self.assertIsInstance(event["userIdentity"], dict)
        self.assertIsInstance(event["resources"], list)
        self.assertEqual(list(event), list(RECORD))
        self.assertEqual(event, RECORD)
        self.assertEqual(json.loads(json.dumps(event)), RECORD)
        self.assertIn("responseElements", event)
        self.assertNotIn("missing", event)

    def test_get_gives_the_default_for_a_stored_null_at_every_level(self) -> None:
        event = plain()
        self.assertEqual(event.get("responseElements", {}), {})
        self.assertIsNone(event["responseElements"])
        self.assertIsNone(event.get("responseElements"))
        self.assertEqual(event.get("userIdentity").get("sessionContext", {}).get("x", 1), 1)
        self.assertEqual(event.get("missing", "d"), "d")

    def test_supplied_fields(self) -> None:
        event = plain()
        self.assertEqual(event.get("p_log_type"), "AWS.CloudTrail")
        self.assertEqual(event["p_event_time"], "2024-01-19 13:47:18.000000000")
        self.assertEqual(event.deep_get("p_parse_time"), SUPPLIED["p_parse_time"])
        self.assertNotIn("p_log_type", list(event))
        with self.assertRaises(KeyError):
            event["p_other"]
        self.assertEqual(plain({"p_log_type": "Mine"}).get("p_log_type"), "Mine", "the record's own field wins")

    def test_nothing_can_be_changed(self) -> None:
        event = plain()
        before = json.dumps(event)
        attempts = [
            lambda: event.__setitem__("a", 1), lambda: event.__delitem__("eventName"), lambda: event.pop("eventName"),
            lambda: event.popitem(), lambda: event.clear(), lambda: event.update(a=1), lambda: event.setdefault("a", 1),
            lambda: event.__ior__({"a": 1}), lambda: event["userIdentity"].update(a=1),
            lambda: event["numbers"].append(1), lambda: event["numbers"].sort(), lambda: event["numbers"].reverse(),
            lambda: event["numbers"].extend([1]), lambda: event["numbers"].pop(), lambda: event["numbers"].clear(),
            lambda: event["numbers"].insert(0, 1), lambda: event["numbers"].remove(1),
            lambda: event["numbers"].__setitem__(0, 1), lambda: event["numbers"].__delitem__(0),
            lambda: event["numbers"].__iadd__([1]), lambda: event["numbers"].__imul__(2),
            lambda: event["resources"][0]["nested"][0].append(1),
            lambda: event["resources"][0]["nested"][0][1]["deep"].append(1),
            lambda: setattr(event, "get", None), lambda: setattr(event, "x", None), lambda: delattr(event, "get"),
        ]
        for number, attempt in enumerate(attempts):
            with self.subTest(number), self.assertRaisesRegex(TypeError, "read-only"):
                attempt()
        self.assertEqual(json.dumps(event), before)

    def test_copies_are_plain_and_deep(self) -> None:
        event = plain()
        for made in (event.copy(), event.to_dict(), copy.copy(event), copy.deepcopy(event),
                     pickle.loads(pickle.dumps(event))):
            self.assertIs(type(made), dict)
            self.assertEqual(made, RECORD)
            made["userIdentity"]["tags"].append(1)
            made["resources"][0]["nested"][0][1]["deep"].append(1)
        tags = event["userIdentity"]["tags"]
        for made in (tags.copy(), copy.copy(tags), copy.deepcopy(tags), pickle.loads(pickle.dumps(tags))):
            self.assertIs(type(made), list)
            made[0]["k"] = "changed"
        self.assertEqual(event, RECORD)

    def test_usual_expressions_on_lists(self) -> None:
        event = plain()
        self.assertEqual(sorted(event["numbers"]), [1, 2, 3])
        self.assertEqual(event["numbers"] + [4], [3, 1, 2, 4])
        self.assertEqual(event["numbers"][:2], [3, 1])
        self.assertEqual({**event, "a": 1}["a"], 1)
        self.assertEqual((event | {"a": 1})["a"], 1)


class Panther(unittest.TestCase):
    def test_exact_key_first_then_any_case_first_in_the_document(self) -> None:
        event = panther({"Name": 1, "NAME": 2, "name": 3, "Outer": {"Inner": {"Leaf": 4}}, "Only": None})
        self.assertEqual([event["NAME"], event["name"], event["nAmE"]], [2, 3, 1])
        self.assertEqual(event.get("OUTER").get("inner")["LEAF"], 4)
        self.assertEqual(event.deep_get("outer", "INNER", "leaf"), 4)
        self.assertIn("outer", event)
        self.assertNotIn("other", event)
        self.assertNotIn(5, event)
        with self.assertRaises(KeyError):
            event["other"]

    def test_the_lower_case_map_is_built_on_a_miss_only(self) -> None:
        event = panther()
        event["eventName"], event.get("userIdentity")
        self.assertIsNone(event._folded)
        event.get("EVENTNAME")
        self.assertIsNotNone(event._folded)

    def test_get_on_an_explicit_null_returns_none(self) -> None:
        event = panther()
        self.assertIsNone(event.get("responseElements", {}))
        self.assertEqual(event.get("missing", {}), {})
        self.assertEqual(event.deep_get("responseElements", "x", default=1), 1)
        self.assertEqual(event.deep_get("responseElements", default=1), 1)
        self.assertEqual(event.deep_get("eventName", "x", default=1), 1)

    def test_is_a_read_only_mapping(self) -> None:
        event = panther()
        self.assertIsInstance(event, Mapping)
        self.assertIsInstance(event["userIdentity"], Mapping)
        self.assertIsInstance(event["resources"], Sequence)
        for attempt in (lambda: event.__setitem__("a", 1), lambda: event.pop("eventName"), lambda: event.update(a=1),
                        lambda: event["numbers"].append(1), lambda: event["userIdentity"].clear(),
                        lambda: event["numbers"].__setitem__(0, 1)):
            with self.assertRaisesRegex(TypeError, "read-only"):
                attempt()
        self.assertEqual(event.to_dict(), {**RECORD, **SUPPLIED})

    def test_equality_and_slices_of_lists(self) -> None:
        event = panther()
        numbers = event["numbers"]
        self.assertEqual(numbers, [3, 1, 2])
        self.assertEqual(numbers, (3, 1, 2))
        self.assertEqual([3, 1, 2], numbers)
        self.assertEqual(numbers[1:], (1, 2))
        self.assertIsInstance(numbers[1:], tuple)
        self.assertEqual(sorted(numbers), [1, 2, 3])
        self.assertEqual(numbers + [4], [3, 1, 2, 4])
        self.assertIn(1, numbers)
        self.assertEqual(event["resources"][0], {"ARN": "x", "nested": [[1, {"deep": [2]}]]})
        self.assertEqual(event["resources"][0]["NESTED"][0][1]["DEEP"], [2])
        self.assertEqual([item["K"] for item in event["userIdentity"]["tags"] if item], ["a", "b", "a"])

    def test_json_text_and_copies(self) -> None:
        event = panther()
        self.assertEqual(json.loads(json.dumps(event["userIdentity"])), RECORD["userIdentity"])
        self.assertEqual(json.loads(json.dumps({"x": [event["numbers"]]})), {"x": [[3, 1, 2]]})
        self.assertEqual(json.loads(json.dumps(event)), {**RECORD, **SUPPLIED})
        self.assertEqual(str(event["numbers"]), "[3, 1, 2]")
        for made in (event.copy(), copy.deepcopy(event), copy.copy(event), pickle.loads(pickle.dumps(event))):
            self.assertIs(type(made), dict)
            made["userIdentity"]["tags"].append(1)
        self.assertEqual(event.to_dict(), {**RECORD, **SUPPLIED})

    def test_annotations_and_hand_made_events(self) -> None:
        self.assertIsInstance(panther(), PantherEvent)
        made = PantherEvent({"A": {"b": (1,)}})
        self.assertEqual(made.deep_get("a", "B")[0], 1)
        self.assertEqual(ImmutableList((1, 2)), [1, 2])
        with self.assertRaisesRegex(LookupError, "lookup table 't' is not declared in pack.yaml"):
            made.lookup("t", "k")


class DeepWalk(unittest.TestCase):
    def test_both_dialects(self) -> None:
        for make in (plain, panther):
            event = make()
            with self.subTest(make.__name__):
                self.assertEqual(event.deep_walk("userIdentity", "tags", "k"), ["a", "b"])
                self.assertEqual(event.deep_walk("userIdentity", "tags", "k", return_val="first"), "a")
                self.assertEqual(event.deep_walk("userIdentity", "tags", "k", return_val="last"), "b")
                self.assertEqual(event.deep_walk("resources", "ARN"), "x", "a single result is unwrapped")
                self.assertEqual(event.deep_walk("resources", "nested", "deep"), [2])
                self.assertEqual(event.deep_walk("RESOURCES", "ARN", default="d"), "d", "case-sensitive")
                self.assertEqual(event.deep_walk("responseElements", "x", default="d"), "d")
                self.assertEqual(event.deep_walk("responseElements", default="d"), "d")
                self.assertEqual(event.deep_walk("userIdentity", "type"), "IAMUser")
                with self.assertRaises(ValueError):
                    event.deep_walk("a", return_val="some")

    def test_values_of_different_types_stay_apart(self) -> None:
        event = panther({"a": [{"b": 1}, {"b": True}, {"b": 1.0}, {"b": 1}]})
        self.assertEqual([type(value) for value in event.deep_walk("a", "b")], [int, bool, float])

    def test_a_raw_container_is_a_copy(self) -> None:
        event = panther()
        found = event.deep_walk("userIdentity")
        self.assertIs(type(found), dict)
        found["type"] = "changed"
        self.assertEqual(event["userIdentity"]["type"], "IAMUser")


class Times(unittest.TestCase):
    def test_supplied_fields(self) -> None:
        parse_time = "2025-01-01 00:00:00.000000000"
        for text, expected in (("2024-01-19T13:47:18Z", "2024-01-19 13:47:18.000000000"),
                               ("2024-01-19T13:47:18.5+02:00", "2024-01-19 11:47:18.500000000"),
                               ("2024-13-19T13:47:18Z", parse_time), ("soon", parse_time), (None, parse_time),
                               ("0001-01-01T00:00:00+14:00", parse_time), ("9999-12-31T23:59:59-14:00", parse_time),
                               ("9999-12-31T23:59:59.5+14:00", "9999-12-31 09:59:59.500000000"),
                               (7, parse_time)):
            with self.subTest(text):
                found = events.supplied_fields({"eventTime": text}, "AWS.CloudTrail", parse_time)
                self.assertEqual(found["p_event_time"], expected)
                self.assertEqual(found["p_parse_time"], parse_time)

    def test_event_time_epoch(self) -> None:
        for make in (plain, panther):
            self.assertEqual(make().event_time_epoch(), 1705672038.0)
            self.assertIsNone(make({"p_event_time": "never"}).event_time_epoch())


if __name__ == "__main__":
    unittest.main()
