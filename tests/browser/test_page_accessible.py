"""What axe-core (https://github.com/dequelabs/axe-core) finds: light and dark, wide and narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page

if TYPE_CHECKING:
    from tests.browser.opening import Opener, unfold
    from tests.unit.sample_reports import HOSTILE, everyday, hostile
else:
    from opening import Opener, unfold
    from sample_reports import HOSTILE, everyday, hostile


def faults(page: Page) -> list[str]:
    """What axe calls serious or critical, each with where it is."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in violations
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"][:5]
    ]


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_there_is_no_serious_fault(opener: Opener, scheme: str, width: int) -> None:
    page = opener.open(everyday(), color_scheme=scheme, viewport={"width": width, "height": 900})
    unfold(page)
    assert not faults(page)


def test_there_is_none_in_a_hostile_report(opener: Opener) -> None:
    # The check takes minutes for all of them.
    page = opener.open(hostile((*HOSTILE[:4], *HOSTILE[-3:])))
    unfold(page)
    assert not faults(page)


def test_the_check_finds_faults(opener: Opener) -> None:
    page = opener.open(everyday())
    page.evaluate("document.body.append(document.createElement('button'))")
    assert [fault for fault in faults(page) if fault.startswith("button-name")]
