from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import cast_svg
import pytest

from snapshot.journal.asciicast import Recording, recording_from_bytes

SVG = "{http://www.w3.org/2000/svg}"
MOST_BYTES = 200 << 10


def recording(
    *outputs: str, title: str = "the lab", columns: int = 40, rows: int = 6, step_s: float = 0.5
) -> Recording:
    lines: list[object] = [{"version": 2, "width": columns, "height": rows, "title": title}]
    lines += [[number * step_s, "o", text] for number, text in enumerate(outputs)]
    return recording_from_bytes("\n".join(map(json.dumps, lines)).encode(), "it")


def picture(what: Recording, *, still: bool = False, most_bytes: int = MOST_BYTES) -> str:
    return cast_svg.picture(what, still=still, idle_limit_s=2.0, most_bytes=most_bytes)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def test_the_picture_holds_the_text_and_no_script() -> None:
    svg = picture(recording("$ echo '<script>&'\r\n", "<script>&\r\n", title="a <title> & more"))
    root = ET.fromstring(svg)
    assert {"$ echo '<script>&'", "<script>&"} <= set(texts(svg))
    assert [element.text for element in root.iter(f"{SVG}title")] == ["a <title> & more"]
    assert "<script" not in svg
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on")]


def test_the_same_recording_gives_the_same_picture() -> None:
    what = recording("\x1b[1;31mred\x1b[m\r\n", "\x1b[44mblue\x1b[m\r\n")
    assert picture(what) == picture(what)


def test_each_screen_is_a_frame_of_the_film() -> None:
    svg = picture(recording("one\r\n", "two\r\n", "three\r\n"))
    film = next(group for group in ET.fromstring(svg).iter(f"{SVG}g") if group.get("class") == "film")
    assert len(film) == 3
    assert "@keyframes film{0%{transform:translateX(0px)}" in svg
    assert "steps(1,end) infinite" in svg


def test_who_wants_no_motion_sees_the_last_frame() -> None:
    svg = picture(recording("one\r\n", "two\r\n"))
    assert "@media (prefers-reduced-motion:reduce){.film{animation:none}}" in svg
    # One frame further: 40 places of 8.4 and the gap.
    assert '<g class="film" transform="translate(-352)">' in svg


def test_a_still_shows_the_last_screen_alone() -> None:
    svg = picture(recording("one", "\x1b[H\x1b[2Jtwo"), still=True)
    assert texts(svg) == ["two"]
    assert "animation" not in svg


def test_styles_and_places_are_drawn() -> None:
    svg = picture(recording("\x1b[2;5H\x1b[1;38;5;196;4mred\x1b[m\x1b[7m inverse \x1b[m"), still=True)
    element = next(element for element in ET.fromstring(svg).iter(f"{SVG}text") if element.text == "red")
    assert element.get("x") == "33.6"
    assert element.get("textLength") == "25.2"
    assert "{fill:#ff0000;font-weight:bold;text-decoration:underline}" in svg
    assert "inverse" in texts(svg)


def test_an_editor_is_drawn_and_leaves_the_shell_as_it_was() -> None:
    svg = picture(recording("$ vi\r\n", "\x1b[?1049h\x1b[H~ edited", "\x1b[?1049l$ exit"))
    assert {"$ vi", "~ edited", "$ exit"} <= set(texts(svg))
    assert texts(
        picture(recording("$ vi\r\n", "\x1b[?1049h\x1b[H~ edited", "\x1b[?1049l$ exit"), still=True)
    ) == [
        "$ vi",
        "$ exit",
    ]


def test_a_minute_of_work_stays_small() -> None:
    lines = (
        f"line {number} of a program that prints and prints {number * 7919}\r\n" for number in range(1200)
    )
    svg = picture(recording(*lines, columns=80, rows=24, step_s=0.05))
    assert len(svg.encode()) <= MOST_BYTES
    assert any("line 1199 " in text for text in texts(svg))


def test_a_picture_that_may_be_nothing_still_comes_to_an_end() -> None:
    assert texts(picture(recording("one\r\n", "two\r\n"), most_bytes=1))


def test_characters_that_xml_cannot_hold_are_replaced() -> None:
    svg = picture(recording("a\u202eb\ufffe\r\n", title="bell \x07 \uffff"), still=True)
    assert texts(svg) == ["ab"]
    assert "bell \ufffd \ufffd" in svg


@pytest.mark.parametrize(("content", "status"), [("", 2), (None, 0)])
def test_the_command_writes_the_picture_or_says_why_not(
    content: str | None, status: int, tmp_path: Path
) -> None:
    source = tmp_path / "in.cast"
    source.write_text(
        '{"version": 2, "width": 9, "height": 3}\n[1, "o", "hi"]\n' if content is None else content
    )
    done = subprocess.run(
        [sys.executable, Path(cast_svg.__file__), source, tmp_path / "out.svg"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert ("no recording" in done.stderr) is bool(status)
    assert (tmp_path / "out.svg").exists() is not bool(status)
