"""Make a picture of a recorded session: an SVG that plays it with CSS alone, or shows its last screen.

``python scripts/cast_svg.py IN.cast OUT.svg`` reads an asciicast v2. The same recording gives the same
picture. One that would be too large shows fewer moments between. Who asked for less motion sees the last
screen, and so do programs that cannot play.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cast_film import Film
from cast_svg_text import drawing

from snapshot.errors import SnapError
from snapshot.journal.asciicast import Recording, read_recording
from snapshot.report.recording_frames import frames_of

#: Moments closer to each other than this many seconds are one, to begin with.
_SHORTEST_FRAME_S = 0.05
#: How long the last screen stands before the film begins again.
_LAST_FRAME_S = 4.0
#: Beyond this the moments are not thinned out any more.
_LONGEST_FRAME_S = 60.0


def picture(recording: Recording, *, still: bool, idle_limit_s: float, most_bytes: int) -> str:
    """The SVG of a recording, of at most ``most_bytes`` where thinning out can reach that."""
    shortest_s = _SHORTEST_FRAME_S
    while True:
        frames = list(frames_of(recording.events, recording.header.size, idle_limit_s, shortest_s))
        film = Film(frames[-1:] if still else frames, _LAST_FRAME_S)
        svg = drawing(film, recording.header.title or recording.header.command or "A session at a terminal")
        if len(svg.encode()) <= most_bytes or len(film.frames) == 1 or shortest_s > _LONGEST_FRAME_S:
            return svg
        shortest_s *= 1.5


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--still", action="store_true", help="the last screen alone")
    parser.add_argument(
        "--idle-limit", type=float, default=2.0, metavar="SECONDS", help="cut longer pauses (default 2)"
    )
    parser.add_argument(
        "--most-kib", type=int, default=200, metavar="KIB", help="size not to be exceeded (default 200)"
    )
    parser.add_argument("recording", type=Path, metavar="IN.cast")
    parser.add_argument("picture", type=Path, metavar="OUT.svg")
    arguments = parser.parse_args()
    try:
        svg = picture(
            read_recording(arguments.recording),
            still=arguments.still,
            idle_limit_s=arguments.idle_limit,
            most_bytes=arguments.most_kib << 10,
        )
    except SnapError as error:
        print(error.what, file=sys.stderr)
        return error.exit_code
    arguments.picture.write_text(svg, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
