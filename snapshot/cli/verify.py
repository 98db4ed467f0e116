"""``snap verify``."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.options import format_option, key_value
from snapshot.cli.text import coloured, count, note, print_json, printable, table
from snapshot.errors import VerificationFailed

if TYPE_CHECKING:
    from snapshot.workflow.checks import Check
    from snapshot.workflow.findings import Finding
    from snapshot.workflow.verify import Verification


def _path_sha256(text: str) -> tuple[str, str]:
    """``PATH=HEX``; the digest has 64 hex digits."""
    path, digest = key_value(text)
    if not re.fullmatch("[0-9a-fA-F]{64}", digest):
        raise click.BadParameter(f"{digest!r} is no sha256: 64 hex digits.")
    return path, digest


@click.command()
@click.option("--file", "files", multiple=True, metavar="PATH", help="Something stands at PATH.")
@click.option(
    "--sha256",
    "digests",
    multiple=True,
    type=_path_sha256,
    metavar="PATH=HEX",
    help="The file has this content.",
)
@click.option(
    "--contains", multiple=True, type=key_value, metavar="PATH=TEXT", help="The text stands in the file."
)
@click.option("--absent", multiple=True, metavar="PATH", help="Nothing stands at PATH.")
@click.option(
    "--label", "labels", multiple=True, type=key_value, metavar="KEY=VALUE", help="The image has this label."
)
@click.option(
    "--env", multiple=True, type=key_value, metavar="KEY=VALUE", help="The image sets this variable."
)
@click.option(
    "--run",
    "run_command",
    metavar="COMMAND",
    help="COMMAND ends well in a throw-away container without network.",
)
@click.option("--expect", metavar="TEXT", help="What --run prints holds TEXT.")
@click.option("--deep", is_flag=True, help="Read every recorded path back, too.")
@click.option("--base", default="", metavar="IMAGE", help="IMAGE is the recorded base.")
@format_option
@click.argument("image")
@pass_invocation
def command(
    invocation: Invocation,
    files: tuple[str, ...],
    digests: tuple[tuple[str, str], ...],
    contains: tuple[tuple[str, str], ...],
    absent: tuple[str, ...],
    labels: tuple[tuple[str, str], ...],
    env: tuple[tuple[str, str], ...],
    run_command: str | None,
    expect: str | None,
    deep: bool,
    base: str,
    output_format: str,
    image: str,
) -> int:
    """Hold IMAGE against its record, and against checks of your own.

    A sealed image is proven by the digests of its layers, at once. Nothing of it is executed, save by --run:
    where files are read, it is through a container that is never started. Relative paths start at the image's
    working folder. Exits with 3 if anything is off.

    \b
    $ snap verify ch03-change
    $ snap verify ch03-change --contains ch03.txt=Elton --absent /root/.bash_history
    """
    from snapshot.workflow import checks
    from snapshot.workflow.verify import verify

    if expect is not None and run_command is None:
        raise click.UsageError("--expect needs --run.")
    wanted: list[Check] = [
        *(checks.FileExists(path) for path in files),
        *(checks.FileHash(path, digest) for path, digest in digests),
        *(checks.FileContains(path, text) for path, text in contains),
        *(checks.FileAbsent(path) for path in absent),
        *(checks.HasLabel(key, value) for key, value in labels),
        *(checks.HasEnv(name, value) for name, value in env),
    ]
    if run_command is not None:
        wanted.append(checks.RunOutputs(_arguments(run_command), expect))
    progress = invocation.progress()
    verification = verify(invocation.engine(), image, wanted, deep=deep, base=base, progress=progress)
    progress.clear()
    if output_format == "json":
        print_json(_document(verification))
    else:
        click.echo(table([_row(finding) for finding in verification.findings]))
    failures = len(verification.failures)
    if verification.record is None and verification.passed:
        note(f"'{image}' has no record: only what you asked for was checked")
    if failures:
        note(f"'{image}' failed {failures} of {count(len(verification.findings), 'check')}")
    else:
        note(f"'{image}' passed {count(len(verification.findings), 'check')}")
    return VerificationFailed.exit_code if failures else 0


def _arguments(text: str) -> tuple[str, ...]:
    try:
        arguments = tuple(shlex.split(text))
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} cannot be split into words: {error}.", param_hint="--run"
        ) from error
    if not arguments:
        raise click.BadParameter("There is no command.", param_hint="--run")
    return arguments


def _row(finding: Finding) -> list[str]:
    verdict = coloured("ok" if finding.passed else "FAIL")
    return [verdict, printable(finding.subject), printable(finding.detail)]


def _document(verification: Verification) -> dict[str, Any]:
    return {
        "schema": "docker-snap.verify/1",
        "id": verification.image.id,
        "has_record": verification.record is not None,
        "passed": verification.passed,
        "findings": [
            {"subject": finding.subject, "passed": finding.passed, "detail": finding.detail}
            for finding in verification.findings
        ],
    }
