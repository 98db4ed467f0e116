"""Reports made by hand: an ordinary one, one made of hostile texts, one of very many changes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.changeset.file_diff import FileDiff
from snapshot.changeset.layer_use import SizedFolder
from snapshot.changeset.text_diff import DiffLine, Hunk
from snapshot.engine.types import ChangeKind
from snapshot.journal.asciicast import recording_from_bytes
from snapshot.journal.step import Copied, Step, StepChanges
from snapshot.packages.interface import PackageChange
from snapshot.report.model import ConfigRow, Fact, Report, ReportFinding, ReportLayer, Stage
from snapshot.report.recording import RecordingView, recording_view

BASE = "docker.io/library/web:1.2"
ADDED, CHANGED, DELETED = ChangeKind.ADDED, ChangeKind.CHANGED, ChangeKind.DELETED

#: Each tries to get out of where it stands: as markup, an attribute, a script, a terminal, turned text.
HOSTILE = (
    "<script>window.__hit = 1</script>",
    "</script><script>window.__hit = 2</script>",
    "<img src=x onerror='window.__hit = 3'>",
    "\"><svg onload='window.__hit = 4'>",
    "' autofocus onfocus='window.__hit = 5' x='",
    "</title></style></pre></details><iframe srcdoc='<script>parent.__hit = 6</script>'></iframe>",
    "<!--<script>window.__hit = 7",
    "]]><base href=https://example.org/><link rel=stylesheet href=//example.org/x.css>",
    "javascript:window.__hit=8",
    "<meta http-equiv=refresh content='0;url=https://example.org/'>",
    "\x1b[31mred\x1b]0;title\x07\x1b[2J\x00\x08\x7f\x9b1m",
    "\u202eevil\u2066turned\u2069 \u200f\u200b\ufeff\u2028\u2029",
    "broken \udcff\udc80 bytes",
    "Z\u0335\u0321" + "\u0315\u0358\u0334" * 40 + "algo",
    "&lt;b&gt;&#x3c;script&#x3e; {{7*7}} ${7*7} `x`",
    "n" * 4000,
    "w" + " " * 1000 + "w",
    "שלום מה שלומך <b>",
)


def file(path: str, size_bytes: int = 100, mode: int = 0o644, owner: int = 0) -> FileEntry:
    return FileEntry(path, FileType.FILE, mode, owner, owner, size_bytes, "ab" * 32)


def folder(path: str) -> FileEntry:
    return FileEntry(path, FileType.FOLDER, 0o755, 0, 0)


def played(*outputs: str, step: int = 2, step_s: float = 0.4, title: str = "A session") -> RecordingView:
    header = {"version": 2, "width": 60, "height": 10, "title": title}
    events: list[object] = [[number * step_s, "o", text] for number, text in enumerate(outputs)]
    content = "\n".join(map(json.dumps, [header, *events])).encode()
    return recording_view(recording_from_bytes(content, "it"), step)


def everyday() -> Report:
    """A report as most are."""
    motd = FileDiff(
        PathChange(CHANGED, "/etc/motd", file("/etc/motd", 120)),
        file("/etc/motd", 100),
        file("/etc/motd", 120),
        (
            Hunk(
                1,
                3,
                1,
                3,
                (
                    DiffLine(" ", "Welcome."),
                    DiffLine("-", "The old line."),
                    DiffLine("+", "The new line."),
                    DiffLine(" ", "Bye."),
                ),
            ),
        ),
        lines_added=1,
        lines_removed=1,
    )
    logo = FileDiff(
        PathChange(CHANGED, "/srv/logo.png", file("/srv/logo.png", 2000)),
        file("/srv/logo.png", 1000),
        file("/srv/logo.png", 2000),
        not_told="binary",
    )
    changes = (
        motd.change,
        PathChange(ADDED, "/opt/app", folder("/opt/app")),
        *(
            PathChange(ADDED, f"/opt/app/file{number:02}.py", file("", 400 * number, owner=1000))
            for number in range(1, 31)
        ),
        PathChange(
            ADDED, "/opt/app/latest", FileEntry("", FileType.SYMLINK, 0o777, 0, 0, link_target="file30.py")
        ),
        logo.change,
        PathChange(DELETED, "/var/cache/old"),
    )
    steps = (
        Step(1, "run", ("sh", "-c", "echo hi"), started="2026-05-01T12:00:00Z", duration_s=1.5, exit_code=0,
             changes=StepChanges(1, 0, 0, ("A /opt/app",))),
        Step(2, "exec", ("make", "install"), user="root", started="2026-05-01T12:01:00Z", duration_s=62.0,
             exit_code=2, changes=StepChanges(30, 1, 1)),
        Step(3, "cp", ("logo.png", "web:/srv/logo.png"), started="2026-05-01T12:03:00Z", duration_s=0.2,
             exit_code=0, copied=(Copied("/srv/logo.png", "cd" * 32, 2000),)),
    )  # fmt: skip
    return Report(
        title="web-change",
        kind="image",
        made_at="2026-05-01T13:00:00Z",
        tool="docker-snap 0.0.0",
        facts=(
            Fact("image", "web-change:latest"),
            Fact("id", "sha256:" + "12" * 32),
            Fact("base", BASE),
            Fact("message", "install the app"),
        ),
        notes=("The list of changes was read from the record.",),
        findings=(
            ReportFinding("record", True, "sealed"),
            ReportFinding("layers", True, "as recorded"),
        ),
        stages=(Stage("web-change:latest", BASE, "install the app", "2026-05-01T12:04:00Z", steps),),
        compared_with=BASE,
        changes=changes,
        file_diffs=(motd, logo),
        packages=(
            PackageChange("dpkg", "curl", "7.88.1-10", "7.88.1-12", "amd64"),
            PackageChange("pip", "requests", "", "2.32.0", "", "/usr/lib/python3/dist-packages"),
            PackageChange("npm", "left-pad", "1.3.0", "", "", "/opt/app/node_modules"),
        ),
        layers=(
            ReportLayer(
                0, f"sha256:{'aa' * 32}", 74_000_000, 3200, 0, 120_000, "ADD file in /", ("debian:12", "web")
            ),
            ReportLayer(1, f"sha256:{'bb' * 32}", 12_000_000, 210, 4, 0, "RUN apt-get install", ("web",)),
            ReportLayer(2, f"sha256:{'cc' * 32}", 190_000, 33, 1, 0, "snap commit"),
        ),
        folders=(
            SizedFolder("/usr/lib", 40_000_000, 1500),
            SizedFolder("/usr/share", 20_000_000, 1200),
            SizedFolder("/usr/bin", 15_000_000, 300),
            SizedFolder("/opt/app", 186_000, 31),
            SizedFolder("/etc", 900_000, 150),
            SizedFolder("/var/lib/dpkg", 5_000_000, 400),
        ),
        config=(
            ConfigRow("cmd", '["sh"]', '["web", "--port", "80"]'),
            ConfigRow("env PATH", "/usr/bin:/bin", "/usr/bin:/bin"),
            ConfigRow("env TOKEN", None, "…"),
            ConfigRow("user", "root", None),
        ),
        recordings=(
            played(
                "$ make install\r\n",
                "copying \x1b[32mfile01.py\x1b[m\r\n",
                "copying \x1b[32mfile02.py\x1b[m\r\n",
                "\x1b[1mdone\x1b[m\r\n$ ",
            ),
        ),
    )  # fmt: skip


def hostile(texts: Sequence[str] = HOSTILE) -> Report:
    """A report in which a stranger wrote everything that a stranger can write."""
    every = " ".join(texts)
    paths = [f"/{text.replace('/', '|')}" for text in texts]
    changes = tuple(
        change for path in sorted(paths, key=lambda path: path.encode("utf-8", "surrogateescape"))
        for change in (
            PathChange(ADDED, path, folder(path)),
            PathChange(CHANGED, f"{path}/{path[1:]}", replace(file(""), link_target=path)),
        )
    )  # fmt: skip
    files = [change for change in changes if change.kind is CHANGED]
    diffs = tuple(
        FileDiff(change, file("", 10), change.file, (Hunk(1, 2, 1, 2, tuple(lines(text))),), lines_added=1)
        for change, text in zip(files, texts, strict=True)
    )
    steps = tuple(
        Step(number, "exec", (text,), text, text, (text,), (Copied(text, text, 3),), text, 1.0, 1,
             StepChanges(1, 1, 1, (f"A {text}",)), overlaps=True, cut=True)
        for number, text in enumerate(texts, 1)
    )  # fmt: skip
    return Report(
        title=every,
        kind="image",
        made_at=every,
        tool=every,
        facts=tuple(Fact(text, text) for text in texts),
        notes=tuple(texts),
        findings=tuple(ReportFinding(text, False, text) for text in texts),
        stages=(*(Stage(text, text, text, text) for text in texts), Stage("last", "base", steps=steps)),
        compared_with=every,
        changes=changes,
        file_diffs=diffs,
        packages=tuple(PackageChange(text, text, text, text, text, text) for text in texts),
        package_notes=tuple(texts),
        layers=tuple(
            ReportLayer(number, text, 1000, 1, 0, 10, text, (text, text)) for number, text in enumerate(texts)
        ),
        folders=tuple(SizedFolder(path, 1000, 1) for path in paths),
        config=tuple(ConfigRow(f"env {text}", text, None) for text in texts),
        recordings=(
            played(*(text + "\r\n" for text in texts if "\udcff" not in text), title=every),
            # What no recording can be drawn as: a screen has no characters that steer.
            replace(played(*filter(str.isprintable, texts)), step=3, note=every, text=every),
        ),
    )  # fmt: skip


def lines(text: str) -> Iterator[DiffLine]:
    """A line of each kind."""
    yield from (DiffLine("-", text), DiffLine("+", text, ends=False), DiffLine(" ", text))


def large(changes: int = 50_000) -> Report:
    """A report of so many changes, spread over folders as distributions have them."""
    return replace(everyday(), changes=tuple(_many(changes)), file_diffs=())


def _many(count: int) -> Iterator[PathChange]:
    kinds = (ADDED, ADDED, CHANGED, DELETED)
    for number in range(count):
        path = f"/usr/share/doc/package{number // 50:04}/folder{number // 10 % 5}/file-{number:05}.txt"
        kind = kinds[number % 4]
        yield PathChange(kind, path, None if kind is DELETED else file(path, number))
