"""The page as people use it: reading, searching, folding, on small screens, on paper, by keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from tests.browser.opening import Opener, is_too_wide
    from tests.unit.sample_reports import everyday
else:
    from opening import Opener, is_too_wide
    from sample_reports import everyday

SECTIONS = (
    "What it is",
    "Verification",
    "How it was made",
    "Changes",
    "Packages",
    "Where the space goes",
    "Layers",
    "Config",
    "Recordings",
)
#: Tag and name of an element, as far as these pages name things.
_NAMED = """(element => element.tagName + " " + (
    element.getAttribute("aria-label") || element.textContent.trim() ||
    element.labels?.[0]?.textContent.trim() || ""
))"""
NARROW = {"width": 360, "height": 740}


def listed(page: Page) -> list[str]:
    """The names in the tree of changes that can be seen."""
    return [row.text_content() or "" for row in page.locator("#tree bdi:visible").all()]


def search(page: Page, words: str) -> None:
    page.get_by_label("Search paths").fill(words)


def test_all_that_a_report_tells_is_there(opener: Opener) -> None:
    page = opener.open(everyday())
    assert page.title() == "web-change: report on image"
    assert page.get_by_role("heading", level=2).all_text_contents() == list(SECTIONS)
    for told in ("docker.io/library/web:1.2", "Verified", "make install", "exit status 2", "7.88.1-12"):
        expect(page.get_by_text(told).first).to_be_visible()


def test_a_search_shows_what_matches_with_its_folders_and_says_how_many(opener: Opener) -> None:
    page = opener.open(everyday())
    search(page, "file1")
    expect(page.get_by_role("status")).to_have_text("10 of 35 listed changes match.")
    assert [name for name in listed(page) if name.endswith(".py")] == [f"file{n}.py" for n in range(10, 20)]
    search(page, "OPT file05")
    expect(page.get_by_role("status")).to_have_text("1 of 35 listed changes match.")
    search(page, "nowhere")
    expect(page.get_by_role("status")).to_have_text("0 of 35 listed changes match.")
    assert not listed(page)
    search(page, "")
    expect(page.get_by_role("status")).to_have_text("")
    assert "motd" in listed(page)


def test_kinds_of_changes_can_be_left_out(opener: Opener) -> None:
    page = opener.open(everyday())
    page.get_by_label("added").uncheck()
    expect(page.get_by_role("status")).to_have_text("3 of 35 listed changes match.")
    assert not [name for name in listed(page) if name.endswith(".py")]


def test_folders_fold_and_files_show_what_differs_inside(opener: Opener) -> None:
    page = opener.open(everyday())
    page.get_by_role("button", name="Close all").click()
    expect(page.get_by_text("motd")).to_be_hidden()
    page.get_by_role("button", name="Open all folders").click()
    expect(page.get_by_text("The new line.")).to_be_hidden()
    page.get_by_text("motd").click()
    expect(page.locator("ins", has_text="The new line.")).to_be_visible()
    expect(page.locator("del", has_text="The old line.")).to_be_visible()
    page.get_by_text("logo.png").last.click()
    expect(page.get_by_text("The content is binary.")).to_be_visible()


def test_without_scripts_all_is_there_and_nothing_that_needs_them(opener: Opener) -> None:
    page = opener.open(everyday(), java_script_enabled=False)
    assert page.get_by_role("heading", level=2).all_text_contents() == list(SECTIONS)
    expect(page.get_by_role("searchbox", include_hidden=True)).to_be_hidden()
    expect(page.locator(".player")).to_be_hidden()
    page.locator("summary", has_text="motd").click()
    expect(page.get_by_text("The new line.")).to_be_visible()
    page.get_by_text("As text").click()
    expect(page.get_by_text("copying file02.py")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_narrow_screen_needs_no_scrolling_sideways(opener: Opener, scripts: bool) -> None:
    page = opener.open(everyday(), viewport=NARROW, java_script_enabled=scripts)
    assert not is_too_wide(page)
    for summary in page.locator("summary").all():
        if summary.is_visible():
            summary.click()
    assert not is_too_wide(page)


def test_text_twice_as_large_needs_no_scrolling_sideways(opener: Opener) -> None:
    # As a window of 1280 is at a zoom of 400 percent (WCAG 2.2, 1.4.10).
    page = opener.open(everyday(), viewport={"width": 320, "height": 256})
    assert not is_too_wide(page)


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_it_is_light_or_dark_as_the_reader_wants_it(opener: Opener, scheme: str, is_dark: bool) -> None:
    page = opener.open(everyday(), color_scheme=scheme)
    ground, text = (
        page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color")
    )
    assert (_brightness(ground) < _brightness(text)) is is_dark


def test_on_paper_all_is_unfolded_and_nothing_is_there_to_click(opener: Opener, tmp_path: Path) -> None:
    page = opener.open(everyday(), color_scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.get_by_text("The new line.")).to_be_visible()
    expect(page.get_by_role("searchbox", include_hidden=True)).to_be_hidden()
    expect(page.get_by_role("navigation")).to_be_hidden()
    assert _brightness(page.evaluate("getComputedStyle(document.body).backgroundColor")) > 200
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    expect(page.get_by_text("The new line.")).to_be_hidden()
    paper = page.pdf(path=tmp_path / "report.pdf")
    assert paper.startswith(b"%PDF")


def test_the_keyboard_reaches_all_and_shows_where_it_is(opener: Opener) -> None:
    page = opener.open(everyday())
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the report")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.get_by_role("searchbox").focus()
    page.keyboard.type("motd")
    expect(page.get_by_role("status")).to_have_text("1 of 35 listed changes match.")
    page.locator("summary", has_text="motd").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("The new line.")).to_be_visible()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_every_stop_of_the_keyboard_has_a_name(opener: Opener) -> None:
    page = opener.open(everyday())
    stops = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        stops.add(page.evaluate(f"{_NAMED}(document.activeElement)"))
    assert len(stops) > 15
    assert not {stop for stop in stops if stop.endswith(" ")}


def _brightness(colour: str) -> float:
    numbers = [float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(numbers) / 3
