"""Run the commands in the documents' console blocks, and write what they print below them.

A command with ``-it`` is given a terminal, where what stands behind the prompts below it is typed.

``python scripts/docs.py FILE…`` rewrites the documents; ``--check`` fails where they say something else than
the commands print now. IDs, digests and times differ each time and count as equal.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from typed import Line, typed

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT = re.compile(r"^(/\S* # )(.*)$")
_VARYING = [
    (re.compile(r"sha256:[0-9a-f]{64}"), "sha256:…"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+Z?)?Z?"), "TIME"),
    (re.compile(r"\b\d+\.\d+ s\b"), "SECONDS s"),
    (re.compile(r"\bmtime = \d+"), "mtime = TIME"),
    (re.compile(r"(About )?(a|an|\d+) (second|minute|hour)s? ago|Less than a second ago"), "SOME TIME ago"),
    (re.compile(r"docker-snap \d+\.\d+\.\d+"), "docker-snap VERSION"),
    (re.compile(r" +"), " "),
]


def with_output(document: str) -> str:
    """The document with what each ``$`` command of its console blocks prints, stdout and stderr together."""
    return _BLOCK.sub(lambda block: f"```console\n{_played(block[1])}```", document)


def _played(block: str) -> str:
    lines: list[str] = []
    block_lines = block.splitlines()
    begins = [number for number, line in enumerate(block_lines) if line.startswith("$ ")]
    for begin, end in zip(begins, [*begins[1:], len(block_lines)], strict=True):
        command = block_lines[begin][2:]
        below = [Line(*found.groups()) for line in block_lines[begin:end] if (found := _PROMPT.match(line))]
        shown = typed(command, below) if " -it " in command else _printed(command)
        lines += [block_lines[begin], *shown.splitlines()]
    return "".join(f"{line}\n" for line in lines)


def _printed(command: str) -> str:
    return subprocess.run(
        ["bash", "-c", command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    ).stdout


def same(one: str, other: str) -> bool:
    """Whether two documents say the same but for what differs each time."""
    for pattern, stand_in in _VARYING:
        one, other = pattern.sub(stand_in, one), pattern.sub(stand_in, other)
    return one == other


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where a document is stale")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    stale = False
    for path in arguments.files:
        before = path.read_text()
        after = with_output(before)
        if not arguments.check:
            path.write_text(after)
        elif not same(before, after):
            stale = True
            print(f"{path} is stale; it would say:\n{after}", file=sys.stderr)
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
