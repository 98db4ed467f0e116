from __future__ import annotations

from snapshot.cli.diff_packages import package_lines, packages_document
from snapshot.packages.changes import PackageChanges
from snapshot.packages.interface import PackageChange

CHANGES = (
    PackageChange("dpkg", "curl", "7.88.1-10", "7.88.1-12", architecture="amd64"),
    PackageChange("pip", "requests", "", "2.31", place="/usr/lib/python3/dist-packages"),
    PackageChange("npm", "@a/left-pad", "1.0", "", place="/srv/node_modules"),
)


def cells(changes: tuple[PackageChange, ...]) -> list[list[str]]:
    return [line.split() for line in package_lines(changes)]


def test_a_line_a_package_with_where_it_is_installed() -> None:
    assert cells(CHANGES) == [
        ["MANAGER", "PACKAGE", "FROM", "TO", "WHERE"],
        ["C", "dpkg", "curl:amd64", "7.88.1-10", "7.88.1-12"],
        ["A", "pip", "requests", "-", "2.31", "/usr/lib/python3/dist-packages"],
        ["D", "npm", "@a/left-pad", "1.0", "-", "/srv/node_modules"],
    ]


def test_where_is_left_out_where_no_package_has_one() -> None:
    assert cells(CHANGES[:1])[0] == ["MANAGER", "PACKAGE", "FROM", "TO"]
    assert package_lines(()) == []


def test_a_name_of_a_megabyte_makes_no_line_wider_than_can_be_read() -> None:
    hostile = PackageChange("pip", "\x1b[2J" + "x" * 1_000_000, "1", "2", place="/x")
    lines = package_lines((*CHANGES, hostile))
    assert max(map(len, lines)) < 200
    assert all(line.isprintable() for line in lines)


def test_the_json_has_everything() -> None:
    document = packages_document(PackageChanges(CHANGES[1:2], ("A sentence.",)))
    assert document == {
        "changes": [
            {"manager": "pip", "name": "requests", "old": None, "new": "2.31", "architecture": None,
             "place": "/usr/lib/python3/dist-packages"}
        ],
        "unreadable": ["A sentence."],
    }  # fmt: skip
