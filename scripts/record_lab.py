"""Play the lab by hand at a terminal, record it, and draw the recording.

The engine is the one that snap finds; it is to have ``diamol/ch03-lab``, and nothing called ``lab``.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from cast_svg import picture
from typed import Line, typed

from snapshot.engine.process_types import TerminalSize
from snapshot.journal.asciicast import Recorder, read_recording

_PROMPT = "you@here:~$ "
_INSIDE = "/diamol # "
_SIZE = TerminalSize(92, 30)
_TYPED = [
    Line(_PROMPT, "snap run -it --name lab --network none diamol/ch03-lab"),
    Line(_INSIDE, "cat ch03.txt; echo"),
    Line(_INSIDE, "echo Elton >> ch03.txt"),
    Line(_INSIDE, "exit"),
    Line(_PROMPT, 'snap commit lab lab-change -m "sign the lab"'),
    Line(_PROMPT, "snap run -it --name lab-check --network none lab-change"),
    Line(_INSIDE, "cat ch03.txt"),
    Line(_INSIDE, "exit"),
    Line(_PROMPT, "snap log lab-change"),
    Line(_PROMPT, "exit"),
]


def record(cast: Path, drawing: Path) -> None:
    """Play it, and write the recording and its picture."""
    shell = f"PS1={shlex.quote(_PROMPT)} exec bash --norc --noprofile -i"
    recorder = Recorder(cast, _SIZE, title="The lab by hand", term="xterm-256color", replace=True)
    try:
        typed(shell, _TYPED, size=_SIZE, pause_s=0.04, recorder=recorder)
    finally:
        recorder.close()
    drawing.write_text(
        picture(read_recording(cast), still=False, idle_limit_s=2.0, most_bytes=200 << 10), encoding="utf-8"
    )


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="scripts/record_lab", description=__doc__)
    parser.add_argument("cast", type=Path, nargs="?", default=Path("docs/lab.cast"), help="[%(default)s]")
    parser.add_argument("drawing", type=Path, nargs="?", default=Path("docs/lab.svg"), help="[%(default)s]")
    arguments = parser.parse_args()
    try:
        record(arguments.cast, arguments.drawing)
    finally:
        for remove in (
            ["docker", "rm", "-f", "lab", "lab-check"],
            ["docker", "rmi", "-f", "lab-change"],
        ):
            subprocess.run(remove, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
