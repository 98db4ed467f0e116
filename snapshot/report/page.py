"""A report as one HTML file that needs nothing else, and asks for nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from importlib import resources
from typing import NamedTuple

from snapshot.report.changes import changes_section
from snapshot.report.markup import plain
from snapshot.report.model import Report
from snapshot.report.overview import facts_section, findings_section, footer, header
from snapshot.report.recordings import recordings_section, recordings_told
from snapshot.report.sizes import sizes_section
from snapshot.report.tables import config_section, layers_section, packages_section
from snapshot.report.timeline import timeline_section
from snapshot.report.visible import middle_cut

_MOST_TITLE_CHARS = 200


class _Section(NamedTuple):
    """A part of the page, which is there where there is something to tell."""

    id: str
    heading: str
    written: Callable[[Report], Iterator[str]]
    is_there: Callable[[Report], bool] = lambda _: True


_SECTIONS = (
    _Section("facts", "What it is", facts_section),
    _Section("verification", "Verification", findings_section),
    _Section("steps", "How it was made", timeline_section, lambda report: bool(report.stages)),
    _Section("changes", "Changes", changes_section),
    _Section(
        "packages",
        "Packages",
        packages_section,
        lambda report: bool(report.compared_with or report.packages or report.package_notes),
    ),
    _Section("sizes", "Where the space goes", sizes_section, lambda report: bool(report.folders)),
    _Section("layers", "Layers", layers_section, lambda report: bool(report.layers)),
    _Section("config", "Config", config_section, lambda report: bool(report.config)),
    _Section("recordings", "Recordings", recordings_section, lambda report: bool(report.recordings)),
)


def page(report: Report) -> Iterator[str]:
    """The page in pieces, in order; together they are one HTML document, to be written as UTF-8.

    It is bounded whatever the report holds, and says what it leaves out. A strict policy
    (https://www.w3.org/TR/CSP3/) lets run and load nothing but its own style and scripts; it reads well
    without the scripts. Whatever came from a stranger is text in it.
    """
    style = _file("page.css")
    scripts = [_file("page.js")]
    if any(recording.data for recording in recordings_told(report)):
        style += _file("player.css")
        scripts.append(_file("player.js"))
    sections = [section for section in _SECTIONS if section.is_there(report)]
    yield _head(report, style, scripts)
    yield from header(report)
    links = "".join(f'<li><a href="#{section.id}">{section.heading}</a></li>' for section in sections)
    yield f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n<main id="main" tabindex="-1">\n'
    for section in sections:
        yield f'<section id="{section.id}" aria-labelledby="{section.id}-heading">\n'
        yield f'<h2 id="{section.id}-heading">{section.heading}</h2>\n'
        yield from section.written(report)
        yield "</section>\n"
    yield f"</main>\n{footer(report)}"
    yield "".join(f"<script>{script}</script>\n" for script in scripts)
    yield "</body>\n</html>\n"


def _head(report: Report, style: str, scripts: list[str]) -> str:
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {' '.join(map(_hash, scripts))}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    title = plain(middle_cut(report.title, _MOST_TITLE_CHARS))
    # An empty picture keeps browsers from asking for one.
    return f"""\
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{title}: report on {plain(report.kind)}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the report</a>
"""


def _file(name: str) -> str:
    return resources.files("snapshot.report").joinpath(name).read_text("utf-8")


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
