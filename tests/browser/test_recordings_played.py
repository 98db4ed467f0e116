"""Recordings in the page: played, paused, sought, at another speed, by keyboard, by the test's own clock."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, Page, expect

if TYPE_CHECKING:
    from tests.browser.opening import Opener
    from tests.unit.sample_reports import everyday, played
else:
    from opening import Opener
    from sample_reports import everyday, played

OUTPUTS = ("one\r\n", "two\r\n", "\x1b[1;31mthree\x1b[m\r\n", "four \u8a9e \u2500\u2500\r\n")


@pytest.fixture
def page(opener: Opener) -> Page:
    report = replace(everyday(), recordings=(played(*OUTPUTS, step_s=1.0),))
    page = opener.open(report)
    page.clock.install()
    page.reload()
    page.clock.pause_at(2_000_000_000_000)
    return page


def rows(page: Page) -> list[str]:
    """What the screen shows."""
    return [text for text in page.locator(".player-row").all_text_contents() if text]


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def test_before_it_is_played_the_last_moment_shows(page: Page) -> None:
    assert rows(page) == ["one", "two", "three", "four 語 ──"]
    expect(page.get_by_label("Position in the recording")).to_have_value("0")


def test_it_plays_pauses_goes_on_and_ends(page: Page) -> None:
    button(page, "Play").click()
    page.clock.run_for(1200)
    assert rows(page) == ["one", "two"]
    button(page, "Pause").click()
    page.clock.run_for(5000)
    assert rows(page) == ["one", "two"]
    button(page, "Play").click()
    page.clock.run_for(1000)
    assert rows(page) == ["one", "two", "three"]
    page.clock.run_for(5000)
    assert rows(page) == ["one", "two", "three", "four 語 ──"]
    expect(button(page, "Play")).to_be_visible()
    button(page, "Play").click()
    page.clock.run_for(100)
    assert rows(page) == ["one"]


def test_it_plays_at_another_speed(page: Page) -> None:
    page.get_by_label("Speed").select_option("4")
    button(page, "Play").click()
    page.clock.run_for(600)
    assert rows(page) == ["one", "two", "three"]


def test_any_moment_can_be_sought(page: Page) -> None:
    position = page.get_by_label("Position in the recording")
    position.fill("2.5")
    assert rows(page) == ["one", "two", "three"]
    position.fill("0.5")
    assert rows(page) == ["one"]
    expect(position).to_have_attribute("aria-valuetext", "1 of 4 seconds")


def test_keys_play_and_seek_while_the_screen_has_the_focus(page: Page) -> None:
    screen = page.locator(".player-screen")
    screen.focus()
    page.keyboard.press("Home")
    assert rows(page) == ["one"]
    page.keyboard.press("End")
    assert rows(page)[-1].startswith("four")
    page.keyboard.press("ArrowLeft")
    assert rows(page) == ["one"]
    page.keyboard.press("Space")
    page.clock.run_for(1200)
    assert rows(page) == ["one", "two"]
    page.keyboard.press("Space")
    expect(button(page, "Play")).to_be_visible()


def test_colours_and_weight_are_shown(page: Page) -> None:
    word = page.locator(".player-row span", has_text="three")
    assert word.evaluate("element => getComputedStyle(element).color") == "rgb(255, 123, 114)"
    assert word.evaluate("element => getComputedStyle(element).fontWeight") == "700"


def test_columns_stay_in_line_whatever_the_font_has(page: Page) -> None:
    width, place = (
        page.locator(".player-row")
        .nth(3)
        .evaluate(
            "row => [row.firstChild.getBoundingClientRect().width, document.querySelector('.player-cursor')"
            ".getBoundingClientRect().width]"
        )
    )
    # The wide character counts as two columns.
    assert width == pytest.approx(10 * place, rel=0.02)


def test_no_script_is_turned_round_in_a_terminal(opener: Opener) -> None:
    page = opener.open(replace(everyday(), recordings=(played("\u05d0\u05d1 ab"),)))
    first, second = page.locator(".player-row span").first.evaluate(
        """span => [0, 1].map(place => {
            const range = document.createRange();
            range.setStart(span.firstChild, place);
            range.setEnd(span.firstChild, place + 1);
            return range.getBoundingClientRect().x;
        })"""
    )
    assert first < second


def test_a_recording_fits_a_narrow_screen(opener: Opener) -> None:
    page = opener.open(
        replace(everyday(), recordings=(played(*OUTPUTS),)), viewport={"width": 360, "height": 740}
    )
    screen = page.locator(".player-screen")
    assert screen.evaluate("element => element.scrollWidth <= element.clientWidth")
