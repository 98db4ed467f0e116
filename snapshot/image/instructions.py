"""The instructions of ``docker commit --change``, applied to a config.

Eleven instructions are known, in any case: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD,
STOPSIGNAL, USER, VOLUME, WORKDIR. They mean here what the engine's Dockerfile dispatcher makes of them,
*before* its commit merges the container's config back in; so ``ENTRYPOINT []`` and ``CMD []`` do clear.
Docker 20.10 does not know STOPSIGNAL and ``--start-interval`` yet; here they work whatever the engine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from snapshot.engine.types import Config, Healthcheck
from snapshot.errors import InvalidInput
from snapshot.image import edits
from snapshot.image.config_parts import variables
from snapshot.image.words import (
    BLANKS,
    SPACE,
    Line,
    duration_ns,
    expand,
    expand_to_words,
    logical_lines,
    split_line,
    split_words,
)

_DEFAULT_SHELL = ("/bin/sh", "-c")
_BUILD_ONLY = frozenset({"ADD", "ARG", "COPY", "FROM", "MAINTAINER", "RUN", "SHELL"})


def apply_instructions(config: Config, instructions: Sequence[str]) -> Config:
    r"""Apply Dockerfile instructions in order, as ``docker commit --change`` would.

    Each text holds one instruction, or several on lines of their own; comments and blank lines are
    skipped. Unlike the engine, which joins all texts first, a backslash at the end of one text does not
    swallow the next. Variables (``$NAME``) stand for what the config's env holds when their instruction
    begins; ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME and WORKDIR put them in.

    ENTRYPOINT clears the CMD, but not one that an earlier instruction of the same list has set.

    Parameters
    ----------
    config:
        The config to start from; for a commit, the base image's.
    instructions:
        Such as ``ENV A=1 B="two words"``, ``CMD ["nginx", "-g", "daemon off;"]`` (exec form) or
        ``CMD echo hi`` (shell form: wrapped in the config's shell, else ``/bin/sh -c``).

    Raises
    ------
    InvalidInput
        An instruction is unknown or cannot be applied by a commit, its arguments cannot be meant, or there is
        no instruction among the texts. The message begins with the instruction's name.

    >>> apply_instructions(Config(env=("A=1",)), ["ENV B=${A}2", "WORKDIR /srv"]).env
    ('A=1', 'B=12')
    """
    lines = [line for text in instructions for line in logical_lines(text)]
    if instructions and not lines:
        raise InvalidInput("there is no instruction, only comments or blank lines", _known())
    cmd_was_set = False
    for line in map(split_line, lines):
        before, config = config, _apply(config, line)
        if line.name.upper() == "ENTRYPOINT" and cmd_was_set:
            config = edits.with_cmd(config, before.cmd)
        cmd_was_set = cmd_was_set or line.name.upper() == "CMD"
    return config


def apply_instruction(config: Config, text: str) -> Config:
    """Apply one text of instructions; see :func:`apply_instructions`.

    >>> apply_instruction(Config(), "EXPOSE 80 443").exposed_ports == {"80/tcp", "443/tcp"}
    True
    """
    return apply_instructions(config, [text])


def _apply(config: Config, line: Line) -> Config:
    name = line.name.upper()
    if name in _BUILD_ONLY:
        raise InvalidInput(f"{name} belongs in a build: a commit cannot apply it", _known())
    if name not in _HANDLERS:
        # What stands after an "=" is a value, and may be a password that was meant for ENV.
        shown = line.name.partition("=")[0] + ("=…" if "=" in line.name else "")
        raise InvalidInput(f"{shown!r} is not an instruction", _known())
    handler, example = _HANDLERS[name]
    try:
        if line.options and name != "HEALTHCHECK":
            raise InvalidInput(
                f"there is no option {line.options[0].partition('=')[0]!r}",
                f"If it is part of the text, put a lone -- before it: {name} -- …",
            )
        if not line.rest:
            raise InvalidInput("there are no arguments")
        return handler(config, line)
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error.what}", error.hint or f"Write it as {example}.") from error


def _known() -> str:
    return f"Known are {', '.join(_HANDLERS)}."


def _cmd(config: Config, line: Line) -> Config:
    return edits.with_cmd(config, _command_line(config, line))


def _entrypoint(config: Config, line: Line) -> Config:
    return edits.with_entrypoint(config, _command_line(config, line))


def _env(config: Config, line: Line) -> Config:
    for name, value in _pairs(config, line):
        config = edits.with_env(config, name, value)
    return config


def _label(config: Config, line: Line) -> Config:
    return edits.with_labels(config, dict(_pairs(config, line)))


def _expose(config: Config, line: Line) -> Config:
    # The one instruction where a variable may hold several words. None at all is no error to the engine.
    env = variables(config)
    ports = [port for word in BLANKS.split(line.rest) for port in expand_to_words(word, env)]
    return edits.with_exposed_ports(config, ports)


def _healthcheck(config: Config, line: Line) -> Config:
    kind, *command = BLANKS.split(line.rest, maxsplit=1)
    if kind.upper() == "NONE":
        return edits.with_healthcheck(config, Healthcheck(("NONE", *command)))
    if kind.upper() != "CMD":
        raise InvalidInput(f"{kind!r} is not a kind of health check", "Write it as CMD COMMAND or NONE.")
    options = _healthcheck_options(line.options)
    argv = _json_strings(command[0]) if command else []
    test = ("CMD", *argv) if argv is not None else ("CMD-SHELL", *command)
    return edits.with_healthcheck(
        config,
        Healthcheck(
            test,
            interval_ns=duration_ns(options["interval"] or "0"),
            timeout_ns=duration_ns(options["timeout"] or "0"),
            start_period_ns=duration_ns(options["start-period"] or "0"),
            start_interval_ns=duration_ns(options["start-interval"] or "0"),
            retries=_retries(options["retries"]),
        ),
    )


def _healthcheck_options(options: Sequence[str]) -> Mapping[str, str]:
    values: dict[str, str] = {}
    known = ("interval", "timeout", "start-period", "start-interval", "retries")
    for option in options:
        name, equals, value = option.removeprefix("--").partition("=")
        if name not in known:
            raise InvalidInput(
                f"there is no option --{name}", f"Known are {', '.join('--' + key for key in known)}."
            )
        if name in values:
            raise InvalidInput(f"--{name} is given twice", "Give it once.")
        if not equals:
            raise InvalidInput(f"--{name} has no value", f"Write it as --{name}=VALUE.")
        values[name] = value
    return {name: values.get(name, "") for name in known}


def _retries(text: str) -> int:
    digits = text.removeprefix("+")
    if text and not (digits.isascii() and digits.isdecimal() and len(digits) <= 10):
        raise InvalidInput(f"{text!r} is not a number of retries", "Write it as --retries=3.")
    return int(digits or "0")


def _on_build(config: Config, line: Line) -> Config:
    # The trigger is kept as written, trailing blanks included, as the engine keeps it.
    trigger = line.source.lstrip(SPACE)[len(line.name) :].lstrip(SPACE)
    return edits.with_on_build(config, [trigger])


def _stop_signal(config: Config, line: Line) -> Config:
    return edits.with_stop_signal(config, expand(line.rest, variables(config)))


def _user(config: Config, line: Line) -> Config:
    return edits.with_user(config, expand(line.rest, variables(config)))


def _volume(config: Config, line: Line) -> Config:
    argv = _json_strings(line.rest)
    words = BLANKS.split(line.rest) if argv is None else [word.strip(SPACE) for word in argv]
    if not words:
        raise InvalidInput("no path is named")
    return edits.with_volumes(config, [expand(word, variables(config)) for word in words])


def _working_dir(config: Config, line: Line) -> Config:
    return edits.with_working_dir(config, expand(line.rest, variables(config)))


def _command_line(config: Config, line: Line) -> Sequence[str]:
    argv = _json_strings(line.rest)
    return [*(config.shell or _DEFAULT_SHELL), line.rest] if argv is None else argv


def _json_strings(text: str) -> list[str] | None:
    """Read the exec form; ``None`` if the text is no JSON array, and so the shell form.

    A typing error in the JSON thus makes a shell command of it, here as in the engine.
    """
    if not text.startswith("["):
        return None
    try:
        # Go's JSON has no NaN; a number of any length is only there to be refused.
        values = json.loads(text, parse_constant=_no_constant, parse_int=float)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(value, str) for value in values):
        raise InvalidInput("a JSON array may hold only strings", 'Quote each one: ["nginx", "-p", "80"].')
    # A lone surrogate (\\ud800) is no character: the engine, too, puts U+FFFD in its place.
    return [value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for value in values]


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _pairs(config: Config, line: Line) -> list[tuple[str, str]]:
    """Read ``KEY=VALUE …``, or the old form ``KEY the rest``: an ``=`` in the first word decides."""
    words = split_words(line.rest)
    if not words:
        raise InvalidInput("there are no arguments")
    if "=" not in words[0]:
        pairs = [BLANKS.split(line.rest, maxsplit=1)]
    else:
        pairs = [word.split("=", 1) for word in words]
    env = variables(config)
    result = []
    for pair in pairs:
        if len(pair) < 2:
            raise InvalidInput("a word has no '='")
        name, value = (expand(part, env) for part in pair)
        if not name:
            raise InvalidInput("a value has no name")
        result.append((name, value))
    return result


_HANDLERS: Mapping[str, tuple[Callable[[Config, Line], Config], str]] = {
    "CMD": (_cmd, 'CMD ["nginx", "-v"] or CMD nginx -v'),
    "ENTRYPOINT": (_entrypoint, 'ENTRYPOINT ["/app"] or ENTRYPOINT exec /app'),
    "ENV": (_env, 'ENV KEY=VALUE OTHER="two words"'),
    "EXPOSE": (_expose, "EXPOSE 80 443/tcp 8000-8010/udp"),
    "HEALTHCHECK": (_healthcheck, "HEALTHCHECK --interval=30s --retries=3 CMD /check, or HEALTHCHECK NONE"),
    "LABEL": (_label, 'LABEL KEY=VALUE OTHER="two words"'),
    "ONBUILD": (_on_build, "ONBUILD RUN make"),
    "STOPSIGNAL": (_stop_signal, "STOPSIGNAL SIGTERM"),
    "USER": (_user, "USER name:group or USER 1000:1000"),
    "VOLUME": (_volume, 'VOLUME /data or VOLUME ["/data", "/logs"]'),
    "WORKDIR": (_working_dir, "WORKDIR /srv/app"),
}
