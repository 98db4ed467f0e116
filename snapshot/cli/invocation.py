"""What a verb needs of the command line as a whole: the engine that its options name, and progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from snapshot.cli.progress import TerminalProgress
    from snapshot.engine.client import Engine
    from snapshot.engine.processes import Processes


@dataclass
class Invocation:
    """One call of the command line; the endpoint that it names is connected when a verb asks for it."""

    host: str | None
    context: str | None
    debug: bool = False

    def engine(self) -> Engine:
        """Connect; the connection is closed when the verb ends."""
        from snapshot.engine.client import Engine

        engine = Engine.connect(self.host, self.context)
        click.get_current_context().call_on_close(engine.close)
        return engine

    def processes(self) -> Processes:
        """The engine for processes alone, which starts quickly; closed when the verb ends."""
        from snapshot.engine.processes import Processes

        processes = Processes.connect(self.host, self.context)
        click.get_current_context().call_on_close(processes.close)
        return processes

    def progress(self) -> TerminalProgress:
        """Progress on stderr, cleared when the verb ends."""
        from snapshot.cli.progress import TerminalProgress

        progress = TerminalProgress(details=self.debug)
        click.get_current_context().call_on_close(progress.clear)
        return progress


pass_invocation = click.make_pass_decorator(Invocation)
