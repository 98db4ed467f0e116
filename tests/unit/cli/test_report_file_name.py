from __future__ import annotations

import pytest

from snapshot.cli.report import file_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web", "web-report.html"),
        ("registry.example:5000/team/web:1.2", "registry.example-5000-team-web-1.2-report.html"),
        ("sha256:" + "a" * 64, f"sha256-{'a' * 64}-report.html"),
        ("../../etc/passwd", "etc-passwd-report.html"),
        ("-rf", "rf-report.html"),
        (".hidden", "hidden-report.html"),
        ("\x1b[2J\n", "2J-report.html"),
        ("", "image-report.html"),
        ("a" * 5000, f"{'a' * 100}-report.html"),
    ],
)
def test_a_report_goes_into_the_current_folder_whatever_it_is_about(name: str, expected: str) -> None:
    assert file_name(name, "html") == expected
    assert file_name(name, "markdown") == expected.removesuffix(".html") + ".md"
