"""Runs every ```sh block of a Markdown file, in order, in one bash that stops at the first failure.

Usage: readme_commands.py FILE
"""

import re
import subprocess
import sys


def main(path: str) -> int:
    with open(path, encoding="utf-8") as file:
        text = file.read()
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if not blocks:
        print(f"{path}: no sh blocks", file=sys.stderr)
        return 1
    # No pipefail: a reader is free to stop at `head`.
    script = "set -eu\n" + "".join(f"echo '== block {number}'\n{block}" for number, block in enumerate(blocks, 1))
    result = subprocess.run(["bash", "-c", script], check=False)
    verdict = "passed" if result.returncode == 0 else f"failed with exit code {result.returncode}"
    print(f"{path}: {len(blocks)} sh blocks {verdict}")
    return result.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
