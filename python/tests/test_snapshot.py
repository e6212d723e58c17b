"""Imports among the files of a pack: which file a name means, and that it is one module whoever asks."""
from __future__ import annotations

import os
import sys
import tempfile
import unittest
from typing import Any

from .harness import rule
from .local import LocalPack

SAYS = "def rule(event):\n    return True\ndef title(event):\n    return {}\n"


def titles(files: dict[str, Any], *paths: str, **fields: Any) -> list[str]:
    with LocalPack(files, [rule(path, id=path) for path in paths], **fields) as pack:
        failed = [report["error"] for report in pack.report["rules"] if "error" in report]
        assert not failed, failed
        reply = pack.batch(({"a": 1}, list(range(len(paths)))))
        assert not reply["errors"], reply["errors"]
        return [match["title"] for match in reply["matches"]]


class Search(unittest.TestCase):
    def test_places_in_order(self) -> None:
        """The directory of the rule, its parents up to the root, helpers/, the directories of global items."""
        source = "import aid\n" + SAYS.format("aid.WHERE")
        everywhere = {place: f"WHERE = {place!r}\n" for place in (
            "rules/iam/aid.py", "rules/aid.py", "aid.py", "helpers/aid.py", "global_helpers/aid.py")}
        globals_ = [{"id": "other", "path": "global_helpers/other.py"}]
        for place in list(everywhere):
            files = {"rules/iam/r.py": source, "global_helpers/other.py": "", **everywhere}
            self.assertEqual(titles(files, "rules/iam/r.py", globals=globals_), [place])
            del everywhere[place]

    def test_a_global_item_is_importable_by_its_id(self) -> None:
        files = {"rules/r.py": "import my_global\nimport odd_name\n" + SAYS.format("f'{my_global.X}{my_global is odd_name}'"),
                 "globals/odd_name.py": "X = 'g'\n"}
        globals_ = [{"id": "my_global", "path": "globals/odd_name.py"}]
        self.assertEqual(titles(files, "rules/r.py", globals=globals_), ["gTrue"])

    def test_an_ambiguous_name_means_the_file_nearest_to_the_importer(self) -> None:
        source = "from common import NAME\n" + SAYS.format("NAME")
        late = "def rule(event):\n    return True\ndef title(event):\n    import common\n    return 'late ' + common.NAME\n"
        files = {"a/r.py": source, "b/r.py": source, "a/late.py": late, "b/late.py": late, "c/r.py": source,
                 "a/common.py": "NAME = 'a'\n", "b/common.py": "NAME = 'b'\n", "common.py": "NAME = 'root'\n"}
        self.assertEqual(titles(files, "a/r.py", "b/r.py", "c/r.py", "b/late.py", "a/late.py"),
                         ["a", "b", "root", "late b", "late a"])

    def test_one_module_per_file(self) -> None:
        files = {"rules/counted.py": "import sys\nprint('once')\n" + SAYS.format("'counted'"),
                 "rules/deep/r.py": "import counted\nimport rules.counted as again\n"
                                    + SAYS.format("f'{counted is again} {counted.title(event)}'")}
        with LocalPack(files, [rule("rules/deep/r.py"), rule("rules/counted.py")]) as pack:
            self.assertEqual(pack.one({"a": 1})["match"]["title"], "True counted")
            module = pack.pack.rules[1].module
            self.assertIs(pack.pack.rules[0].module.counted, module)
            self.assertIs(sys.modules[module.__name__], module)
            self.assertEqual(len([warning for warning in pack.report["warnings"] if "once" in warning["message"]]), 1)

    def test_packages_with_and_without_init(self) -> None:
        files = {"helpers/with_init/__init__.py": "from .inner import X\nfrom . import sibling\n",
                 "helpers/with_init/inner.py": "X = 'x'\n", "helpers/with_init/sibling.py": "from .inner import X as Y\n",
                 "helpers/bare/one.py": "Z = 'z'\n", "helpers/bare/sub/two.py": "from ..one import Z\n",
                 "r.py": "import with_init.sibling\nimport with_init.sibling as s\nfrom bare import one\n"
                         "from bare.sub.two import Z\nimport helpers.bare.one\nfrom with_init import *\n"
                         + SAYS.format("with_init.X + s.Y + one.Z + Z + str(helpers.bare.one is one) + X")}
        self.assertEqual(titles(files, "r.py"), ["xxzzTruex"])

    def test_relative_imports_from_a_rule(self) -> None:
        files = {"rules/a/r.py": "from .near import X\nfrom ..far import Y\nfrom . import near\n"
                                 + SAYS.format("X + Y + near.X"),
                 "rules/a/near.py": "X = 'x'\n", "rules/far.py": "Y = 'y'\n"}
        self.assertEqual(titles(files, "rules/a/r.py"), ["xyx"])
        with LocalPack({"r.py": "from ... import x\n"}, [rule("r.py")]) as pack:
            self.assertIn("beyond the top of the pack", pack.report["rules"][0]["error"]["message"])

    def test_circular_imports(self) -> None:
        files = {"a.py": "import b\nA = 'a'\n" + SAYS.format("b.both()"), "b.py": "import a\ndef both():\n    return a.A + 'b'\n"}
        self.assertEqual(titles(files, "a.py"), ["ab"])

    def test_importlib_finds_the_common_directories(self) -> None:
        files = {"rules/r.py": "import importlib\naid = importlib.import_module('aid')\nimport aid as same\n"
                               + SAYS.format("f'{aid.X}{aid is same}'"), "helpers/aid.py": "X = 'x'\n"}
        self.assertEqual(titles(files, "rules/r.py"), ["xTrue"])

    def test_file_names_that_are_no_identifiers(self) -> None:
        self.assertEqual(titles({"v1.2/my-rule.py": SAYS.format("__name__")}, "v1.2/my-rule.py"), ["pack/v1.2/my-rule"])

    def test_classes_of_a_pack_work_with_dataclasses_enums_and_pickle(self) -> None:
        files = {"r.py": "from __future__ import annotations\nimport dataclasses, enum, pickle, typing\n"
                         "@dataclasses.dataclass\nclass P:\n    x: typing.ClassVar[int] = 1\n    y: int = 2\n"
                         "class E(enum.Enum):\n    A = 1\n"
                         + SAYS.format("f'{pickle.loads(pickle.dumps(P(3))).y}{E.A.name}{typing.get_type_hints(P)[\"y\"].__name__}'")}
        self.assertEqual(titles(files, "r.py"), ["3Aint"])


class TheDisk(unittest.TestCase):
    def test_is_never_asked_for_a_pack_module(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            with open(os.path.join(directory, "only_on_disk.py"), "w") as file:
                file.write("X = 1\n")
            before = os.getcwd()
            os.chdir(directory)
            try:
                with LocalPack({"r.py": "import only_on_disk\n"}, [rule("r.py")]) as pack:
                    self.assertEqual(pack.report["rules"][0]["error"]["type"], "ModuleNotFoundError")
            finally:
                os.chdir(before)

    def test_everything_the_pack_names_is_imported_before_it_runs(self) -> None:
        for name in ("plistlib", "chunk", "this"):
            sys.modules.pop(name, None)
        source = ("import sys\nSEEN = 'plistlib' in sys.modules, 'xml.dom.minidom' in sys.modules\n"
                  "def rule(event):\n    import plistlib\n    from xml.dom import minidom\n    import this\n    return True\n"
                  "def title(event):\n    return str(SEEN)\n")
        for name in [name for name in sys.modules if name.startswith("xml")]:
            del sys.modules[name]
        with LocalPack({"r.py": source}, [rule("r.py")]) as pack:
            self.assertNotIn("this", sys.modules)
            self.assertEqual(pack.one({"a": 1})["match"]["title"], "(True, True)")


class Shadowing(unittest.TestCase):
    def test_a_pack_may_shadow_the_standard_library_for_itself_only(self) -> None:
        sys.modules.pop("colorsys", None)
        files = {"r.py": "import colorsys\n" + SAYS.format("colorsys.X"), "colorsys.py": "X = 'mine'\n"}
        with LocalPack(files, [rule("r.py")]) as pack:
            self.assertEqual(pack.one({"a": 1})["match"]["title"], "mine")
            warning, = pack.report["warnings"]
            self.assertEqual((warning["path"], warning["line"]), ("r.py", 1))
            self.assertIn("colorsys.py wins", warning["message"])
            import colorsys

            self.assertTrue(hasattr(colorsys, "rgb_to_hsv"))

    def test_but_not_what_the_worker_runs_on_nor_what_iota_provides(self) -> None:
        files = {"r.py": "import json\nfrom panther_core import PantherEvent\n"
                         + SAYS.format("json.dumps(1) + PantherEvent.__name__"),
                 "json.py": "", "helpers/panther_core.py": ""}
        with LocalPack(files, [rule("r.py")]) as pack:
            self.assertEqual(pack.one({"a": 1})["match"]["title"], "1PantherEvent")
            self.assertEqual(len(pack.report["warnings"]), 2)
            self.assertTrue(all("iota runs on wins" in warning["message"] for warning in pack.report["warnings"]))

    def test_a_rule_named_like_a_module_is_fine_when_nobody_imports_it(self) -> None:
        with LocalPack({"secrets.py": SAYS.format("'x'")}, [rule("secrets.py")]) as pack:
            self.assertEqual(pack.report["warnings"], [])


class Provided(unittest.TestCase):
    def test_boto3_imports_and_refuses(self) -> None:
        source = ("import boto3\nfrom boto3.dynamodb.conditions import Key\nfrom botocore.exceptions import ClientError\n"
                  "from botocore.config import Config\nimport botocore.exceptions\nCONFIG = Config(retries=1)\n"
                  "def table() -> boto3.resource:\n    return boto3.resource('dynamodb')\n"
                  "def rule(event):\n    try:\n        return bool(table())\n    except ClientError:\n        return True\n")
        with LocalPack({"r.py": source}, [rule("r.py")]) as pack:
            error = pack.one({"a": 1})["error"]
            self.assertEqual(error["type"], "AwsNotAvailable")
            self.assertIn("no access to AWS", error["message"])
            self.assertEqual(error["line"], 8)

    def test_config(self) -> None:
        source = ("from iota_rule import config\nLIMIT = config('limit')\n"
                  + SAYS.format("f\"{LIMIT} {config['names'][0]} {config.get('no', 'd')} {'limit' in config} {len(config)}\""))
        values = {"name": "p", "config": {"limit": 5, "names": ["a"]}}
        self.assertEqual(titles({"r.py": source}, "r.py", pack=values), ["5 a d True 2"])
        with LocalPack({"r.py": "from iota_rule import config\nconfig('nope')\n"}, [rule("r.py")], pack=values) as pack:
            error = pack.report["rules"][0]["error"]
            self.assertEqual(error["message"], "config value 'nope' is not declared under `config:` in pack.yaml")
            self.assertEqual(error["line"], 2)
        with LocalPack({"r.py": "from iota_rule import config\nconfig['names'].append(1)\n"}, [rule("r.py")],
                       pack=values) as pack:
            self.assertIn("read-only", pack.report["rules"][0]["error"]["message"])


if __name__ == "__main__":
    unittest.main()
