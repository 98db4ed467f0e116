"""``snap engine``."""

from __future__ import annotations

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.options import format_option
from snapshot.cli.text import print_json, printable, table


@click.command()
@format_option
@pass_invocation
def command(invocation: Invocation, output_format: str) -> None:
    """Say which engine is used, why that one, and what works there; exits with 5 if none answers.

    \b
    $ snap engine
    $ snap --context staging engine --format json
    """
    from snapshot.workflow.engine import describe_engine

    report = describe_engine(invocation.engine())
    info = report.info
    if output_format == "json":
        print_json(
            {
                "schema": "docker-snap.engine/1",
                "endpoint": report.endpoint.url,
                "reason": report.endpoint.reason,
                "name": info.name,
                "version": info.version,
                "api_version": info.api_version,
                "platform": f"{info.os}/{info.architecture}",
                "image_store": info.image_store,
                "storage_driver": info.storage_driver,
                "abilities": [
                    {"name": ability.name, "works": ability.works, "detail": ability.detail}
                    for ability in report.abilities
                ],
            }
        )
        return
    rows = [
        ["endpoint", printable(report.endpoint.url)],
        ["chosen by", printable(report.endpoint.reason)],
        [
            "engine",
            printable(f"{info.name} {info.version}, API {info.api_version}, {info.os}/{info.architecture}"),
        ],
        ["image store", printable(f"{info.image_store} ({info.storage_driver})")],
    ]
    for ability in report.abilities:
        rows.append(
            [
                ability.name,
                ("yes" if ability.works else "no") + (f": {ability.detail}" if ability.detail else ""),
            ]
        )
    click.echo(table(rows))
