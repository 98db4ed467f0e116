"""Opening reports in a browser that tells of all that they ask for and complain of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Dialog, Page

from snapshot.report.model import Report
from snapshot.report.page import page as written

#: Without these a browser asks its maker for news of its own accord.
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Opener:
    """Opens reports, each in a window of its own.

    Attributes
    ----------
    complaints:
        What the console, the browser's log and dialogs have said.
    asked:
        All that was asked for.
    """

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self._browser = browser
        self._folder = folder
        self._contexts: list[BrowserContext] = []

    def open(self, report: Report, **options: Any) -> Page:
        """A page with the report; ``options`` are those of a browser context."""
        file = self._folder / f"report{len(self._contexts)}.html"
        file.write_text("".join(written(report)), "utf-8")
        context = self._browser.new_context(**options)
        self._contexts.append(context)
        page = context.new_page()
        log = context.new_cdp_session(page)
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._dialog)
        page.on("popup", lambda _: self.complaints.append("it opened a window"))
        # By Playwright, and by the browser itself, which also tells of what its policies refuse.
        page.on("request", lambda request: self.asked.append(request.url))
        log.on("Network.requestWillBeSent", lambda event: self.asked.append(event["request"]["url"]))
        log.on("Log.entryAdded", lambda event: self.complaints.append(event["entry"]["text"]))
        log.send("Network.enable")
        log.send("Log.enable")
        page.goto(file.as_uri())
        return page

    @property
    def asked_elsewhere(self) -> set[str]:
        """What was asked for beside the reports; the empty picture of a page is nothing."""
        return {url for url in self.asked if not url.startswith(self._folder.as_uri()) and url != "data:,"}

    def close(self) -> None:
        """Close all windows."""
        for context in self._contexts:
            context.close()

    def _dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()


def is_too_wide(page: Page) -> bool:
    """Whether the page can be scrolled sideways."""
    wide: bool = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return wide


def unfold(page: Page) -> None:
    """Open all that is folded."""
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
