"""What rules print and log: line by line, with its pair, bounded, and never on a descriptor."""
from __future__ import annotations

import unittest
from typing import Any

from .harness import rule
from .local import LocalPack


class Case(unittest.TestCase):
    def logs(self, body: str, *records: Any) -> dict[str, Any]:
        source = "import sys, logging, warnings\ndef rule(event):\n" + "".join(f"    {line}\n" for line in body.split("\n"))
        with LocalPack({"r.py": source + "    return False\n"}, [rule("r.py"), rule("r.py", id="b")]) as pack:
            reply = pack.batch(*[(record, [0, 1]) for record in records or ({"n": 1},)])
            self.assertEqual(reply["errors"], [])
            return reply

    def texts(self, body: str) -> list[str]:
        return [line["text"] for line in self.logs(body)["logs"] if line["rule"] == 0]

    def test_print_logging_and_warnings(self) -> None:
        self.assertEqual(self.texts("print('a', 1)\nprint('b', file=sys.stderr)"), ["a 1", "b"])
        self.assertEqual(self.texts("logging.warning('w %s', 1)"), ["WARNING:root:w 1"])
        self.assertIn("UserWarning: odd", self.texts("warnings.warn('odd')")[0])
        self.assertEqual(self.texts("sys.stdout.write('no newline')"), ["no newline"])
        self.assertEqual(self.texts("print('a', end='')\nprint('b\\n\\nc')"), ["ab", "", "c"])
        self.assertEqual(self.texts("sys.stdout.flush()\nsys.stdout.writelines(['a\\n', 'b'])\nprint(sys.stdout.isatty())"),
                         ["a", "bFalse"])

    def test_lines_belong_to_their_pair(self) -> None:
        reply = self.logs("print(event['n'], end='')", {"n": 1}, {"n": 2})
        self.assertEqual(reply["logs"], [{"record": 0, "rule": 0, "text": "1"}, {"record": 0, "rule": 1, "text": "1"},
                                         {"record": 1, "rule": 0, "text": "2"}, {"record": 1, "rule": 1, "text": "2"}])

    def test_bounds(self) -> None:
        reply = self.logs("print('x' * 5000)\nprint('y' * 5_000_000, end='')")
        self.assertEqual([len(line["text"]) for line in reply["logs"]], [2000] * 4)
        reply = self.logs("for n in range(1500): print(n)")
        self.assertEqual((len(reply["logs"]), reply["logs_dropped"]), (1000, 2000))
        self.assertNotIn("logs_dropped", self.logs("print(1)"))

    def test_what_a_rule_does_to_the_streams_ends_with_the_record(self) -> None:
        source = ("import sys\ndef rule(event):\n    print(event['n'])\n    sys.stdout.close()\n"
                  "    sys.stdout = None\n    sys.stderr = sys.__stdout__ = 5\n    return False\n")
        with LocalPack({"r.py": source}, [rule("r.py")]) as pack:
            reply = pack.batch(*[({"n": n}, [0]) for n in range(3)])
            self.assertEqual((reply["errors"], [line["text"] for line in reply["logs"]]), ([], ["0", "1", "2"]))

    def test_input_is_empty(self) -> None:
        self.assertEqual(self.texts("try:\n    input()\nexcept EOFError:\n    print('nothing')"), ["nothing"])


if __name__ == "__main__":
    unittest.main()
