"""A report of 50,000 changes: of bounded size, and quick enough to be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapshot.report.page import page as written

if TYPE_CHECKING:
    from tests.browser.opening import Opener
    from tests.unit.sample_reports import large
else:
    from opening import Opener
    from sample_reports import large

MOST_BYTES = 8 << 20
#: Playwright's own ways of waiting look at each of so many elements, for half a minute.
_SEARCHED = """words => new Promise(resolve => {
    const [search, found] = ["search", "found"].map(id => document.getElementById(id));
    new MutationObserver(() => resolve(found.textContent)).observe(found, { childList: true });
    search.value = words;
    search.dispatchEvent(new Event("input"));
})"""


def test_fifty_thousand_changes_can_be_searched(opener: Opener) -> None:
    report = large()
    assert sum(len(piece.encode()) for piece in written(report)) <= MOST_BYTES
    page = opener.open(report)
    assert page.evaluate(_SEARCHED, "package0007").startswith("50 of 25,000 listed changes match.")
    shown = page.evaluate(
        "[...document.querySelectorAll('#tree bdi')].filter(name => name.checkVisibility())"
        ".map(name => name.textContent)"
    )
    assert [name for name in shown if "package" in name] == ["package0007/"]
    assert len([name for name in shown if name.endswith(".txt")]) == 50


def test_what_is_not_listed_is_counted(opener: Opener) -> None:
    page = opener.open(large(), java_script_enabled=False)
    listed = page.locator("#tree li[data-kind]").count()
    more = int(page.locator("#tree").get_attribute("data-more") or "0")
    assert listed + more == 50_000
