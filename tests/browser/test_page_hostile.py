"""A report in which a stranger wrote everything: nothing of it runs, leaves the page, or breaks it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Playwright, expect

from snapshot.report.page import page as written

if TYPE_CHECKING:
    from tests.browser.opening import QUIET, Opener, is_too_wide, unfold
    from tests.unit.sample_reports import HOSTILE, everyday, hostile
else:
    from opening import QUIET, Opener, is_too_wide, unfold
    from sample_reports import HOSTILE, everyday, hostile


@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_runs_and_the_page_stays_whole(opener: Opener, width: int) -> None:
    page = opener.open(hostile(), viewport={"width": width, "height": 900})
    unfold(page)
    for button in page.get_by_role("button").all():
        button.click()
    page.get_by_role("searchbox").fill("script")
    expect(page.get_by_role("status")).to_contain_text("listed changes match.")
    assert page.evaluate("window.__hit") is None
    assert page.locator("footer").count() == 1
    assert page.get_by_role("heading", level=2).count() == 9
    assert not is_too_wide(page)


def test_no_element_or_attribute_comes_from_a_stranger(opener: Opener) -> None:
    every = "[...document.querySelectorAll('*')]"
    names = f"[...new Set({every}.map(element => element.localName))]"
    attributes = f"[...new Set({every}.flatMap(element => element.getAttributeNames()))]"
    common, strange = (opener.open(report) for report in (everyday(), hostile()))
    assert set(strange.evaluate(names)) <= set(common.evaluate(names)) | {"br"}
    assert set(strange.evaluate(attributes)) <= set(common.evaluate(attributes)) | {"hidden"}


def test_every_text_can_be_read_as_it_is(opener: Opener) -> None:
    page = opener.open(hostile())
    unfold(page)
    shown = page.locator("body").inner_text()
    assert "<script>window.__hit = 1</script>" in shown
    assert "&lt;b&gt;&#x3c;script&#x3e; {{7*7}} ${7*7} `x`" in shown
    # What steers a terminal or turns text round is there as an escape.
    for escape in ("\\x1b[31mred", "\\u202eevil", "\\xff"):
        assert escape in shown
    steering = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
    assert not steering.findall(shown)


def test_a_long_name_is_short_until_it_is_asked_for(opener: Opener) -> None:
    page = opener.open(hostile())
    value = page.locator("#facts dd", has_text="nnnn").last
    assert len(value.inner_text()) < 200
    value.locator("summary").click()
    assert "n" * 4000 in value.inner_text()


def test_the_policy_would_stop_what_gets_through(opener: Opener) -> None:
    page = opener.open(everyday())
    stopped = page.evaluate(
        """async () => {
            const found = [];
            addEventListener('securitypolicyviolation', event => found.push(event.effectiveDirective));
            document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.__hit = 1">');
            document.body.insertAdjacentHTML('beforeend', '<img src="https://example.org/x.png">');
            document.body.insertAdjacentHTML('beforeend', '<p style="color: red">');
            const script = document.createElement('script');
            script.textContent = 'window.__hit = 2';
            document.body.append(script);
            await new Promise(resolve => setTimeout(resolve, 100));
            return [found.sort(), window.__hit];
        }"""
    )
    opener.complaints.clear()
    opener.asked[:] = [page.url]
    directives, hit = stopped
    assert hit is None
    assert set(directives) >= {"img-src", "style-src-attr", "script-src-elem"}


def test_the_browser_s_own_log_of_the_network_has_nothing(
    playwright: Playwright, chromium: str, tmp_path: Path
) -> None:
    file, log = tmp_path / "report.html", tmp_path / "net.json"
    file.write_text("".join(written(hostile())), "utf-8")
    logging = playwright.chromium.launch(executable_path=chromium, args=[*QUIET, f"--log-net-log={log}"])
    page = logging.new_page()
    page.goto(file.as_uri())
    unfold(page)
    logging.close()
    events = json.loads(log.read_text())["events"]
    started = [event["params"] for event in events if "initiator" in (event.get("params") or {})]
    assert started
    # What the browser asks its maker on its own account comes from no page.
    asked = [params["url"] for params in started if params["initiator"] != "not an origin"]
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_hostile_texts_are_all_in_the_report() -> None:
    # The tests above say nothing where a text that is to be hostile is missing.
    html = "".join(written(hostile()))
    assert html.count("window.__hit = 1") > 20
    assert len(HOSTILE) == len(set(HOSTILE))
