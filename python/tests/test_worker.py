"""The worker as a process: frames, descriptors, ways to start, and what hostile rules cannot break."""
from __future__ import annotations

import ast
import fcntl
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import unittest

from .harness import ENGINE, ENVIRONMENT, PACKAGE, Worker, batch_body, header, panther, rule, worker_sources

GOOD = "def rule(event):\n    return event.get('eventName') == 'X'\ndef title(event):\n    return 'saw ' + event['eventName']\n"
HIT, MISS = {"eventName": "X"}, {"eventName": "Y"}


class Starting(unittest.TestCase):
    def test_both_ways_do_the_same(self) -> None:
        answers = []
        with tempfile.TemporaryDirectory() as elsewhere:
            for bootstrap in (True, False):
                with Worker(bootstrap, cwd=elsewhere) as worker:
                    report = worker.load({"r.py": GOOD, "bad.py": "def rule(event):\n    return 1 / 0\n"},
                                         [rule("r.py"), panther("bad.py")])
                    reply = worker.batch((HIT, [0, 1]), (MISS, [0]))
                    reply.pop("nanos")
                    answers.append((report, reply, worker.test(0, HIT)))
                    self.assertEqual(worker.close(), (0, b""))
        self.assertEqual(answers[0], answers[1])
        report, reply, _ = answers[0]
        self.assertEqual(report["protocol"], 1)
        self.assertEqual(report["python"], "%d.%d.%d" % sys.version_info[:3])
        self.assertEqual([match["title"] for match in reply["matches"]], ["saw X"])
        self.assertEqual(reply["errors"][0]["type"], "ZeroDivisionError")

    def test_frames_that_arrive_together_are_all_read(self) -> None:
        """The bootstrap must not swallow bytes of the frames after W."""
        files = {"r.py": GOOD.encode()}
        text = json.dumps(header(files, [rule("r.py")])).encode()
        frames = [(b"W", json.dumps(worker_sources()).encode()),
                  (b"L", struct.pack("<I", len(text)) + text + files["r.py"]),
                  (b"B", batch_body(1, [(HIT, [0])])), (b"B", batch_body(2, [(MISS, [0])]))]
        data = b"".join(struct.pack("<I", len(body) + 1) + kind + body for kind, body in frames)
        done = subprocess.run([sys.executable, "-P", "-s", "-B", "-c", (PACKAGE / "bootstrap.py").read_text()],
                              input=data, capture_output=True, env=ENVIRONMENT, timeout=20)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        kinds, at = "", 0
        while at < len(done.stdout):
            kinds += chr(done.stdout[at + 4])
            at += 4 + struct.unpack_from("<I", done.stdout, at)[0]
        self.assertEqual(kinds, "lbb")

    def test_large_frames(self) -> None:
        files = {f"r{n}.py": GOOD + "#" * 4000 for n in range(300)}
        with Worker() as worker:
            report = worker.load(files, [rule(path) for path in files])
            self.assertFalse(any("error" in entry for entry in report["rules"]))
            record = {"eventName": "X", "blob": "é" * 2_000_000}
            self.assertEqual(len(worker.batch((record, [0, 299]))["matches"]), 2)

    def test_no_progress_file(self) -> None:
        text = json.dumps(header({}, [])).encode()
        data = struct.pack("<I", len(text) + 5) + b"L" + struct.pack("<I", len(text)) + text
        done = subprocess.run([sys.executable, "-P", "-s", "-B", str(ENGINE)], input=data, capture_output=True,
                              env=ENVIRONMENT, timeout=20)
        self.assertEqual((done.returncode, done.stdout[4:5]), (0, b"l"))

    def test_the_current_directory_is_not_looked_in(self) -> None:
        """By an interpreter that is too old for PYTHONSAFEPATH, which has to start to be told so."""
        with tempfile.TemporaryDirectory() as pack:
            for name in ("json", "struct", "importlib", "zipimport", "iota_worker"):
                with open(os.path.join(pack, f"{name}.py"), "w") as file:
                    file.write("import os\nos.write(1, b'taken')\n")
            done = subprocess.run([sys.executable, "-s", "-B", "-c", (PACKAGE / "bootstrap.py").read_text()],
                                  stdin=subprocess.DEVNULL, capture_output=True, env=ENVIRONMENT, cwd=pack, timeout=20)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def test_no_input_at_all(self) -> None:
        for program in (["-c", (PACKAGE / "bootstrap.py").read_text()], [str(ENGINE)]):
            done = subprocess.run([sys.executable, "-P", "-s", "-B", *program], stdin=subprocess.DEVNULL,
                                  capture_output=True, env=ENVIRONMENT, timeout=20)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def test_an_input_that_ends_inside_a_frame(self) -> None:
        with Worker() as worker:
            worker.load({"r.py": GOOD}, [rule("r.py")])
            worker.process.stdin.write(struct.pack("<I", 100) + b"B")
            self.assertEqual(worker.close()[0], 0)

    def test_frames_out_of_order_end_the_worker(self) -> None:
        with Worker() as worker:
            worker.send("B", batch_body(1, []))
            with self.assertRaises(EOFError):
                worker.receive()
            self.assertEqual(worker.close()[0], 1)
        with Worker() as worker:
            worker.load({"r.py": GOOD}, [rule("r.py")])
            worker.send("?", b"")
            with self.assertRaises(EOFError):
                worker.receive()
            self.assertEqual(worker.close()[0], 1)


class Results(unittest.TestCase):
    def test_a_large_result_comes_in_parts(self) -> None:
        """Matches of a batch were held by both sides until the last one: 64 records, 300 rules, 200 KB each are 4 GB."""
        large = ("def rule(event):\n    if event['n'] == 5:\n        raise ValueError('x')\n    return True\n"
                 "def alert_context(event):\n    return {'n': event['n'], 'text': 'é' * 200_000}\n")
        files = {f"r{n}.py": large for n in range(12)}
        expected = [(record, index) for record in range(8) for index in range(12)]
        with Worker() as worker:
            worker.load(files, [rule(path) for path in files])
            reply = worker.batch(*(({"n": record}, list(range(12))) for record in range(8)))
            self.assertEqual([(match["record"], match["rule"]) for match in reply["matches"]],
                             [pair for pair in expected if pair[0] != 5])
            self.assertEqual([(error["record"], error["rule"]) for error in reply["errors"]],
                             [pair for pair in expected if pair[0] == 5])
            self.assertTrue(all(match["context"]["n"] == match["record"] for match in reply["matches"]))
            self.assertLess(max(worker.part_sizes), 4 << 20)
            self.assertGreater(len(worker.part_sizes), 8)
            worker.batch(({"n": 0}, [0]))
            self.assertEqual(len(worker.part_sizes), 1)


class Versions(unittest.TestCase):
    def test_another_protocol_is_answered(self) -> None:
        with Worker() as worker:
            report = worker.load({}, [], protocol=2)
            self.assertEqual(report["error"], "the engine speaks protocol 2, this worker protocol 1")
            self.assertEqual(report["protocol"], 1)
            self.assertEqual(worker.close()[0], 0)

    def test_an_old_interpreter_is_answered(self) -> None:
        program = (f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import iota_worker.main as main; "
                   "main.OLDEST_PYTHON = (9, 9); main.main()")
        text = json.dumps(header({}, [])).encode()
        data = struct.pack("<I", len(text) + 5) + b"L" + struct.pack("<I", len(text)) + text
        done = subprocess.run([sys.executable, "-P", "-s", "-B", "-c", program], input=data, capture_output=True,
                              env=ENVIRONMENT, timeout=20)
        self.assertEqual(done.returncode, 0)
        report = json.loads(done.stdout[5:])
        version = "%d.%d.%d" % sys.version_info[:3]
        self.assertEqual(report["error"], f"python 3.11 or newer is needed, found {version} at {sys.executable}")

    def test_what_an_old_interpreter_has_to_read_parses_there(self) -> None:
        for path in (PACKAGE / "__init__.py", PACKAGE / "main.py", PACKAGE / "frames.py", PACKAGE / "bootstrap.py",
                     ENGINE):
            tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 6))
            futures = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
            self.assertEqual(futures, [], path)


class Hostile(unittest.TestCase):
    def test_descriptors_do_not_reach_the_protocol(self) -> None:
        """A print in a rule corrupted the protocol, and all alerts of the file were lost."""
        noisy = ("import os, sys\nos.write(1, b'import')\ndef rule(event):\n    print('printed')\n"
                 "    sys.__stdout__.write('more')\n    for fd in (1, 2):\n        os.write(fd, b'garbage' * 1000)\n"
                 "    os.system('echo shell')\n    return os.read(0, 10) == b''\n")
        with Worker() as worker:
            worker.load({"a.py": noisy, "b.py": GOOD}, [rule("a.py"), rule("b.py")])
            for _ in range(3):
                reply = worker.batch((HIT, [0, 1]))
                self.assertEqual((reply["errors"], [match["rule"] for match in reply["matches"]]), ([], [0, 1]))
                self.assertEqual([line["text"] for line in reply["logs"]], ["printed", "more"])
            self.assertEqual(worker.close(), (0, b""))

    def test_exits_and_lowered_limits_stop_nobody(self) -> None:
        files = {"exit.py": "import sys\ndef rule(event):\n    sys.exit(0)\n",
                 "deep.py": "import sys\ndef rule(event):\n    sys.setrecursionlimit(60)\n    return False\n",
                 "raise.py": "def rule(event):\n    raise GeneratorExit\n",
                 "streams.py": "import sys\ndef rule(event):\n    sys.stdout = sys.stderr = None\n    return False\n",
                 "good.py": GOOD}
        with Worker() as worker:
            worker.load(files, [rule(path) for path in files])
            record = {"eventName": "X", "deep": json.loads("[" * 200 + "]" * 200)}
            for _ in range(2):
                reply = worker.batch((record, [0, 1, 2, 3, 4]), (record, [4]))
                self.assertEqual([(match["record"], match["rule"]) for match in reply["matches"]], [(0, 4), (1, 4)])
                self.assertEqual([(error["rule"], error["type"]) for error in reply["errors"]],
                                 [(0, "SystemExit"), (2, "GeneratorExit")])

    def test_threads_and_exit_handlers_do_not_keep_the_worker(self) -> None:
        source = ("import atexit, threading, time\natexit.register(time.sleep, 60)\ndef rule(event):\n"
                  "    threading.Thread(target=time.sleep, args=(60,)).start()\n    return True\n")
        with Worker() as worker:
            worker.load({"r.py": source}, [rule("r.py")])
            self.assertEqual(len(worker.batch((HIT, [0]))["matches"]), 1)
            self.assertEqual(worker.close()[0], 0)

    def test_an_interrupt_is_the_engines_business(self) -> None:
        with Worker() as worker:
            worker.load({"r.py": GOOD}, [rule("r.py")])
            worker.process.send_signal(signal.SIGINT)
            self.assertEqual(len(worker.batch((HIT, [0]))["matches"]), 1)

    def test_the_progress_file_names_the_pair_that_killed_the_worker(self) -> None:
        killer = "import os\ndef rule(event):\n    if event.get('kill'):\n        os._exit(9)\n    return False\n"
        with Worker() as worker:
            worker.load({"a.py": GOOD, "b.py": killer}, [rule("a.py"), rule("b.py")])
            worker.batch((HIT, [0, 1]))
            self.assertEqual(worker.running_pair(), 0, "idle")
            worker.send("B", batch_body(2, [(HIT, [0, 1]), ({"kill": 1}, [0, 1]), (HIT, [0])]))
            with self.assertRaises(EOFError):
                worker.receive()
            self.assertEqual(worker.running_pair(), 4, "pair 3 + 1")
            self.assertEqual(worker.close()[0], 9)

    def test_the_progress_file_names_the_rule_whose_import_killed_the_worker(self) -> None:
        with Worker() as worker:
            with self.assertRaises(EOFError):
                worker.load({"a.py": GOOD, "b.py": "import os\nos._exit(9)\n"}, [rule("a.py"), rule("b.py")])
            self.assertEqual(worker.running_pair(), 2, "rule 1 + 1")

    def test_the_progress_file_changes_with_every_data_model(self) -> None:
        """A slow data model takes time from none of the others, and no rule is blamed for it."""
        files = {"a.py": "X = 1\n", "m.py": "import os\nos._exit(9)\n"}
        models = [{"id": name, "path": name, "python": name, "log_types": [], "mappings": []} for name in files]
        with Worker() as worker:
            with self.assertRaises(EOFError):
                worker.load(files, [], data_models=models)
            self.assertEqual(worker.running_pair(), 65_536 + 2)

    def test_descriptors_of_the_engines_surroundings_do_not_reach_rules(self) -> None:
        source = ("import os\ndef rule(event):\n    try:\n        os.fstat(event['fd'])\n    except OSError:\n"
                  "        return False\n    return True\n")
        reader, writer = os.pipe()
        descriptor = fcntl.fcntl(writer, fcntl.F_DUPFD, 40)
        os.set_inheritable(descriptor, True)
        try:
            for bootstrap in (True, False):
                with Worker(bootstrap) as worker:
                    worker.load({"r.py": source}, [rule("r.py")])
                    self.assertEqual(worker.batch(({"fd": descriptor}, [0]))["matches"], [])
        finally:
            for open_one in (reader, writer, descriptor):
                os.close(open_one)

    @unittest.skipUnless(sys.platform == "linux", "the address space is limited on Linux only")
    def test_memory_is_limited(self) -> None:
        source = "def rule(event):\n    return bool(bytearray(event['size']))\n"
        with Worker() as worker:
            worker.load({"r.py": source}, [rule("r.py")], memory_bytes=512 << 20)
            reply = worker.batch(({"size": 1 << 30}, [0]), ({"size": 1 << 20}, [0]))
            self.assertEqual([error["type"] for error in reply["errors"]], ["MemoryError"])
            self.assertEqual([match["record"] for match in reply["matches"]], [1])

    def test_a_pack_runs_without_opening_a_file(self) -> None:
        """What a sandbox does to the process later: from the first line of the pack on, nothing can be opened."""
        files = {"model.py": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))\n",
                 "r.py": "import datetime, helper\ndef rule(event):\n    import ipaddress, fnmatch, logging, decimal\n"
                         "    datetime.datetime.strptime(event['eventTime'], '%Y-%m-%dT%H:%M:%SZ')\n"
                         "    'é'.encode('utf-16'), 'x'.encode('idna'), 'é'.encode('latin-1')\n"
                         "    logging.getLogger('x').warning('works')\n"
                         "    try:\n        open('/etc/passwd')\n    except OSError:\n        return True\n"
                         "def title(event):\n    import traceback\n    try:\n        1 / 0\n"
                         "    except ZeroDivisionError:\n        return traceback.format_exc()\n"
                         "def dedup(event):\n    raise KeyError('x')\n",
                 "helper.py": "import uuid, zoneinfo, csv\n"}
        model = {"id": "m", "path": "m.yml", "python": "model.py", "log_types": [], "mappings": []}
        record = {"eventTime": "2024-01-19T13:47:18Z"}
        told: dict = {}
        for _ in range(2):
            with Worker() as worker:
                report = worker.load(files, [rule("r.py")], data_models=[model], **told)
                self.assertNotIn("error", report["rules"][0])
                reply = worker.batch((record, [0]))
                self.assertEqual([error["function"] for error in reply["errors"]], ["dedup"])
                self.assertIn("    1 / 0\n", reply["matches"][0]["title"], "linecache knows the source")
                self.assertEqual(reply["logs"][0]["text"], "works")
                answer = worker.test(0, record)
                self.assertTrue(answer["matched"], answer)
                told = told or {"prepared": report["prepared"]}

    @unittest.skipUnless(hasattr(resource, "prlimit"), "Linux")
    def test_also_one_that_names_next_to_nothing(self) -> None:
        files = {"r.py": "import re\nfrom datetime import datetime\nfrom collections import Counter, UserDict\nfrom a import title, later\n"
                         "def rule(event):\n    datetime.strptime('2024', '%Y'), Counter('aab').most_common(1), UserDict(a=1).copy()\n"
                         "    'x'.encode('idna'), b'x'.decode('cp1252'), '\\N{DASH}'.encode('ascii', 'namereplace')\n    later()\n"
                         "    return True\n".replace("DASH", "EM DASH"),
                 "a.py": "def title(event):\n    return 5\ndef later():\n    import b\n", "b.py": "X = 1\n"}
        rules = [panther("r.py", inline_filters=[{"Key": "ip", "Condition": "IsIPAddress"}])]
        told: dict = {}
        for _ in range(2):
            with Worker() as worker:
                report = worker.load(files, rules, **told)
                resource.prlimit(worker.process.pid, resource.RLIMIT_NOFILE, (0, 0))
                reply = worker.batch(({"ip": "192.0.2.1"}, [0]))
                error, = reply["errors"]
                self.assertEqual((error["function"], error["line"], error["type"]), ("title", 4, "TypeError"), error)
                self.assertEqual(len(reply["matches"]), 1)
                told = told or {"prepared": report["prepared"]}

    def test_the_environment_is_bare(self) -> None:
        source = "import os\ndef rule(event):\n    return True\ndef title(event):\n    return repr(sorted(os.environ))\n"
        with Worker() as worker:
            worker.load({"r.py": source}, [rule("r.py")])
            self.assertEqual(worker.batch((HIT, [0]))["matches"][0]["title"], repr(sorted(ENVIRONMENT)))


class Clock(unittest.TestCase):
    def test_fixed_or_the_real_one(self) -> None:
        source = "def rule(event):\n    return True\ndef title(event):\n    return event.get('p_parse_time')\n"
        for now_ms, expected in ((1_760_000_000_123, r"2025-10-09 08:53:20\.123000000"), (None, r"20[2-9]\d-")):
            with Worker() as worker:
                worker.load({"r.py": source}, [rule("r.py")], now_ms=now_ms)
                self.assertRegex(worker.batch((HIT, [0]))["matches"][0]["title"], f"^{expected}")


class State(unittest.TestCase):
    SOURCE = ("from panther_detection_helpers.caching import *\ndef rule(event):\n    return increment_counter('k') >= 4\n"
              "def title(event):\n    return ','.join(sorted(get_string_set('s')))\n")

    def test_committed_values_are_asked_of_the_engine(self) -> None:
        stored = {("counter", "k"): {"value": 2, "expires_at": None}, ("string_set", "s"): {"value": ["a", "b"],
                                                                                            "expires_at": None}}
        with Worker(state=stored) as worker:
            report = worker.load({"r.py": self.SOURCE}, [rule("r.py")])
            self.assertTrue(report["rules"][0]["uses_state"])
            reply = worker.batch((HIT, [0]), (HIT, [0]))
            self.assertEqual([(match["record"], match["title"]) for match in reply["matches"]], [(1, "a,b")])
            self.assertEqual(worker.requests, [{"kind": "counter", "key": "k"},
                                               {"kind": "string_set", "key": "s"}])
            self.assertEqual([entry["record"] for entry in reply["state"]], [0, 1])
            self.assertFalse(worker.test(0, HIT)["matched"])


if __name__ == "__main__":
    unittest.main()
