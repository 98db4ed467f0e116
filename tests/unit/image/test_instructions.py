from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from snapshot.engine.types import Config, Healthcheck
from snapshot.errors import InvalidInput
from snapshot.image.instructions import apply_instruction, apply_instructions

SECOND = 10**9
BASE = Config(env=("PATH=/bin:/usr/bin", "A=1 2", "EMPTY="), cmd=("/bin/sh",), working_dir="/diamol")
KNOWN = (
    "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL",
    "ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
)  # fmt: skip


def variable(text: str, *, env: tuple[str, ...] = BASE.env) -> str:
    """The value that ``ENV X=text`` gives to X."""
    last = apply_instruction(Config(env=env), f"ENV X={text}").env[-1]
    assert last.startswith("X=")
    return last.removeprefix("X=")


# Commands
@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ('CMD ["echo", "a b"]', ("echo", "a b")),
        ('cmd [ "echo" ]  ', ("echo",)),
        ("CMD []", ()),
        (r'CMD ["A", "\n\"", "\ud83d\ude00"]', ("A", '\n"', "😀")),
        (r'CMD ["\ud800"]', ("\ufffd",)),
        ('CMD ["$A", "${A}"]', ("$A", "${A}")),
        ("CMD echo  hi", ("/bin/sh", "-c", "echo  hi")),
        ("CMD echo $A 'x'", ("/bin/sh", "-c", "echo $A 'x'")),
        ("CMD [ -f /x ] && true", ("/bin/sh", "-c", "[ -f /x ] && true")),
        ("CMD ['echo', 'hi']", ("/bin/sh", "-c", "['echo', 'hi']")),
        ('CMD ["echo" "hi"]', ("/bin/sh", "-c", '["echo" "hi"]')),
        ('CMD ["echo"] hi', ("/bin/sh", "-c", '["echo"] hi')),
        ("CMD [NaN]", ("/bin/sh", "-c", "[NaN]")),
        ("CMD -- --flag", ("/bin/sh", "-c", "--flag")),
        ("CMD echo --flag", ("/bin/sh", "-c", "echo --flag")),
        ("CMD echo a \\\n # why\n\n  b", ("/bin/sh", "-c", "echo a   b")),
    ],
)
def test_a_command_is_taken_in_exec_form_or_wrapped_in_a_shell(text: str, argv: tuple[str, ...]) -> None:
    assert apply_instruction(BASE, text).cmd == argv
    assert apply_instruction(BASE, re.sub("^CMD", "ENTRYPOINT", text, flags=re.IGNORECASE)).entrypoint == argv


def test_the_shell_form_uses_the_shell_of_the_config() -> None:
    config = Config(shell=("/bin/bash", "-o", "pipefail", "-c"))
    assert apply_instruction(config, "CMD a | b").cmd == ("/bin/bash", "-o", "pipefail", "-c", "a | b")


@pytest.mark.parametrize("array", ["[1]", '["a", null]', '["a", ["b"]]', "[true]", f"[{'9' * 5000}]"])
@pytest.mark.parametrize("name", ["CMD", "ENTRYPOINT", "VOLUME", "HEALTHCHECK CMD"])
def test_an_array_of_anything_but_strings_is_refused(name: str, array: str) -> None:
    with pytest.raises(InvalidInput, match="only strings"):
        apply_instruction(BASE, f"{name} {array}")


def test_an_entrypoint_clears_the_inherited_command() -> None:
    config = apply_instruction(BASE, 'ENTRYPOINT ["foo", "bar=baz"]')
    assert (config.entrypoint, config.cmd) == (("foo", "bar=baz"), ())


@pytest.mark.parametrize("order", [0, 1])
def test_an_entrypoint_keeps_a_command_of_the_same_list_in_either_order(order: int) -> None:
    instructions = ['CMD ["x"]', 'ENTRYPOINT ["e"]']
    config = apply_instructions(BASE, instructions[::-1] if order else instructions)
    assert (config.entrypoint, config.cmd) == (("e",), ("x",))


def test_a_command_and_an_entrypoint_can_both_be_cleared() -> None:
    config = apply_instructions(BASE, ["CMD []", "ENTRYPOINT []"])
    assert (config.entrypoint, config.cmd) == ((), ())


# ENV, LABEL: pairs
@pytest.mark.parametrize(
    ("text", "added"),
    [
        ("ENV X=1", ("X=1",)),
        ("env X=1 Y=2", ("X=1", "Y=2")),
        ("ENV X=\"a b\" Y=c\\ d Z='e f'", ("X=a b", "Y=c d", "Z=e f")),
        ("ENV TEST=1=1-01=9.01", ("TEST=1=1-01=9.01",)),
        ("ENV X=", ("X=",)),
        ('ENV X=""', ("X=",)),
        ('ENV "X Y"=1', ("X Y=1",)),
        ("ENV X the rest = of it", ("X=the rest = of it",)),
        ('ENV X "quoted rest" too', ("X=quoted rest too",)),
        ("ENV X\t  tabbed", ("X=tabbed",)),
        ("ENV X=1 \\\n    Y=2 \\\n# no\n\n    Z=3\n", ("X=1", "Y=2", "Z=3")),
        ("ENV X=1\r\nENV Y=2\r\n", ("X=1", "Y=2")),
        ("# first\n\n  ENV X=1\nENV Y=$X", ("X=1", "Y=1")),
        ("ENV X=1 Y=[$X]", ("X=1", "Y=[]")),
        ("ENV X=é\u3000Y=2", ("X=é", "Y=2")),
        ("ENV X=C:\\dir", ("X=C:dir",)),
        ("ENV X=1\\", ("X=1",)),
    ],
)
def test_pairs_are_read_in_both_forms(text: str, added: tuple[str, ...]) -> None:
    assert apply_instruction(BASE, text).env == BASE.env + added


def test_a_variable_of_the_base_is_replaced_in_its_place() -> None:
    changed = apply_instruction(BASE, "ENV PATH=$PATH:/opt A=3")
    assert changed.env == ("PATH=/bin:/usr/bin:/opt", "A=3", "EMPTY=")


def test_labels_are_read_like_variables_and_expanded() -> None:
    config = apply_instructions(
        Config(env=("V=2",), labels={"a": "old"}), ['LABEL a=new "b c"="$V" d=\'$V\'', "LABEL e two words"]
    )
    assert config.labels == {"a": "new", "b c": "2", "d": "$V", "e": "two words"}


@pytest.mark.parametrize(
    "text",
    [
        "ENV X",
        "ENV =x",
        "ENV X=1 Y",
        'ENV ""=x',
        "ENV X='a",
        'ENV X="a',
        "ENV $NO=1 X=1",
        "LABEL x",
        "LABEL =y",
    ],
)
def test_a_pair_that_is_none_is_refused_without_repeating_a_value(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        apply_instruction(BASE, text)
    name = text.split()[0]
    assert refusal.value.what.startswith(f"{name}: ")
    assert text.removeprefix(name) not in refusal.value.what
    assert refusal.value.hint


@given(st.text(st.characters(exclude_characters="\0\n", exclude_categories=["Cs"])))
@example("\\")
@example(' "$PATH" \\" \' \r\t#')
@example("\\ ")
def test_any_value_in_double_quotes_comes_back_unchanged(value: str) -> None:
    quoted = '"' + re.sub(r'([\\"$])', r"\\\1", value) + '"'
    changed = apply_instruction(BASE, f"ENV X={quoted} Y={quoted}")
    assert changed.env[-2:] == (f"X={value}", f"Y={value}")
    assert apply_instruction(BASE, f"LABEL l={quoted}").labels == {"l": value}


@given(st.text(st.characters(exclude_characters="\0\n'", exclude_categories=["Cs"])))
@example("\\")  # a backslash before the closing quote is text
def test_any_value_in_single_quotes_comes_back_unchanged(value: str) -> None:
    assert apply_instruction(BASE, f"ENV X='{value}' Y=2").env[-2:] == (f"X={value}", "Y=2")


# Variables
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A", "1 2"), ("${A}b", "1 2b"), ("$Ab", ""), ('"$A"', "1 2"), ("'$A'", "$A"), (r"\$A", "$A"),
        (r'"\$A\x"', r"$A\x"), ("$", "$"), ("a$.b", "a$.b"), ("$$A", "A"), ("$1x", "x"), ("$-5", "5"),
        ("${NO:-d}${EMPTY:-e}${A:-f}", "de1 2"), ("${NO-d}${EMPTY-e}${A-f}", "d1 2"),
        ("${NO:+d}${EMPTY:+e}${A:+f}", "f"), ("${NO+d}${EMPTY+e}${A+f}", "ef"),
        ("${A:?no}${EMPTY?no}", "1 2"), ("${NO:-${EMPTY:-$A}}", "1 2"), ("${NO:-}", ""),
        ("${NO:-'}'}", "}"), (r"${NO:-\}}", "}"), ('"${NO:-"x"}"', "x"), ("${PATH#*/}", "bin:/usr/bin"),
        ("${PATH##*/}", "bin"), ("${PATH%/*}", "/bin:/usr"), ("${PATH%%/*}", ""),
        ("${PATH%nothing}", "/bin:/usr/bin"), ("${PATH#/???}", ":/usr/bin"),
        (r"${PATH#\*}", "/bin:/usr/bin"), ("${PATH/bin/sbin}", "/sbin:/usr/bin"),
        ("${PATH//bin/sbin}", "/sbin:/usr/sbin"), (r"${PATH//\//_}", "_bin:_usr_bin"),
        ("${PATH//b?n/$EMPTY}", "/:/usr/"), ("${NO#x}${NO%x}${NO/x/y}", ""),
    ],
)  # fmt: skip
def test_variables_are_put_in_as_docker_does(text: str, value: str) -> None:
    assert variable(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"${NO:?is wanted}"', "NO: is wanted"), ("${EMPTY:?}", "EMPTY: is not set"),
        ("${NO?}", "NO: is not set"), ("${A", "operator"), ("${", "lacks"), ("${}", "lacks"),
        ("${:x}", "lacks"), ("${{A}}", "lacks"), ("${A:-x", "lacks"), ("${A:#x}", "operator"),
        ("${A!x}", "operator"), ("${A/x}", "lacks"), (r"${A#\x}", "pattern"),
        ("${A:-" * 5000, "lacks|nested"),
    ],
)  # fmt: skip
def test_a_substitution_that_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        variable(text)


def test_the_value_of_a_variable_is_not_expanded_again() -> None:
    assert variable("$OUTER", env=("OUTER=$INNER'", "INNER=x")) == "$INNER'"


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("USER $U:${G:-staff}", "user", "elton:staff"),
        ('USER "$U"', "user", "elton"),
        ("USER ${NO}", "user", ""),
        ("WORKDIR $U", "working_dir", "/diamol/elton"),
        ('WORKDIR "/a  b"', "working_dir", "/a  b"),
        ("STOPSIGNAL ${S}", "stop_signal", "SIGRTMIN+3"),
        ("EXPOSE $P 90/udp", "exposed_ports", {"80/tcp", "443/tcp", "90/udp"}),
        ("EXPOSE 80$NO 1$NO-2", "exposed_ports", {"80/tcp", "1/tcp", "2/tcp"}),
        ("EXPOSE $NO", "exposed_ports", frozenset()),
        ("VOLUME /$U /x", "volumes", {"/elton", "/x"}),
        ('VOLUME ["/$U", " /a b "]', "volumes", {"/elton", "/a b"}),
        ("ONBUILD RUN $U ", "on_build", ("RUN $U ",)),
        ("onbuild  \\\n  RUN x", "on_build", ("RUN x",)),
        ("HEALTHCHECK CMD $U", "healthcheck", Healthcheck(("CMD-SHELL", "$U"))),
    ],
)
def test_each_instruction_expands_what_docker_expands_in_it(text: str, key: str, value: object) -> None:
    config = Config(env=("U=elton", "P=80 443", "S=SIGRTMIN+3"), working_dir="/diamol")
    assert getattr(apply_instruction(config, text), key) == value


# HEALTHCHECK
@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("HEALTHCHECK NONE", Healthcheck(("NONE",))),
        ("healthcheck none", Healthcheck(("NONE",))),
        ("HEALTHCHECK CMD curl -f  x || exit 1", Healthcheck(("CMD-SHELL", "curl -f  x || exit 1"))),
        ('HEALTHCHECK cmd ["curl", "-f"]', Healthcheck(("CMD", "curl", "-f"))),
        (
            "HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=500ms --start-interval=2s"
            " --retries=3 CMD x",
            Healthcheck(("CMD-SHELL", "x"), 90 * SECOND, 3 * SECOND // 2, SECOND // 2, 2 * SECOND, 3),
        ),
        ("HEALTHCHECK --interval='5s' \\\n  --retries= CMD x", Healthcheck(("CMD-SHELL", "x"), 5 * SECOND)),
        ("HEALTHCHECK --interval=0 --timeout=0s --retries=0 CMD x", Healthcheck(("CMD-SHELL", "x"))),
        ("HEALTHCHECK --interval=1ms CMD x", Healthcheck(("CMD-SHELL", "x"), 10**6)),
        (
            "HEALTHCHECK --interval=+1h0.5m1000us CMD x",
            Healthcheck(("CMD-SHELL", "x"), 3630 * SECOND + 10**6),
        ),
        ("HEALTHCHECK CMD curl --retries=9", Healthcheck(("CMD-SHELL", "curl --retries=9"))),
    ],
)
def test_a_health_check_is_read_with_its_options(text: str, check: Healthcheck) -> None:
    inherited = Config(healthcheck=Healthcheck(("CMD", "old"), interval_ns=SECOND, retries=9))
    assert apply_instruction(inherited, text).healthcheck == check


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("HEALTHCHECK", "no arguments"), ("HEALTHCHECK NONE x", "NONE alone"),
        ("HEALTHCHECK CMD", "needs a command"), ("HEALTHCHECK CMD []", "needs a command"),
        ("HEALTHCHECK curl x", "'curl'"),
        ("HEALTHCHECK --interval=999us CMD x", "interval of a health check is shorter than 1ms"),
        ("HEALTHCHECK --timeout=-5s CMD x", "timeout"),
        ("HEALTHCHECK --start-period=5 CMD x", "'5' is not a duration"),
        ("HEALTHCHECK --start-period=5d CMD x", "'5d' is not a duration"),
        ("HEALTHCHECK --interval=.s CMD x", "not a duration"),
        ("HEALTHCHECK --interval=1s5 CMD x", "not a duration"),
        ("HEALTHCHECK --interval=2562048h CMD x", "not a duration"),
        ("HEALTHCHECK --interval=٣s CMD x", "not a duration"), ("HEALTHCHECK --retries=-1 CMD x", "'-1'"),
        ("HEALTHCHECK --retries=x CMD x", "'x'"), ("HEALTHCHECK --retries=2147483648 CMD x", "2147483648"),
        ("HEALTHCHECK --interval CMD x", "--interval has no value"),
        ("HEALTHCHECK --retries=1 --retries=2 CMD x", "--retries is given twice"),
        ("HEALTHCHECK --bogus=1 CMD x", "--bogus"),
    ],
)  # fmt: skip
def test_a_health_check_that_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as refusal:
        apply_instruction(BASE, text)
    assert refusal.value.what.startswith("HEALTHCHECK: ")
    assert refusal.value.hint


# What is refused
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("RUN ls", "RUN"),
        ("add a /b", "ADD"),
        ("COPY a /b", "COPY"),
        ("FROM scratch", "FROM"),
        ("ARG X", "ARG"),
        ('SHELL ["/bin/bash"]', "SHELL"),
        ("MAINTAINER me", "MAINTAINER"),
        ("BOGUS=foo", "BOGUS"),
        ("EVN X=1", "EVN"),
        ("PATH", "PATH"),
    ],
)
def test_what_a_commit_cannot_apply_is_refused_by_name_with_what_it_can(text: str, name: str) -> None:
    with pytest.raises(InvalidInput, match=name) as refusal:
        apply_instructions(BASE, ["ENV X=1", text])
    assert refusal.value.hint
    assert all(known in refusal.value.hint for known in KNOWN)


def test_a_value_that_stands_where_the_instruction_should_is_not_repeated() -> None:
    with pytest.raises(InvalidInput) as refusal:
        apply_instruction(BASE, "PASSWORD=s3cret")
    assert "s3cret" not in refusal.value.what


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("tail", ["", "  ", " \\", "\t\n# nothing more\n"])
def test_an_instruction_without_arguments_is_refused_with_an_example(name: str, tail: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{name}: ") as refusal:
        apply_instruction(BASE, name + tail)
    assert refusal.value.hint
    assert name in refusal.value.hint


@pytest.mark.parametrize("name", [name for name in KNOWN if name != "HEALTHCHECK"])
def test_an_option_that_the_instruction_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{name}: .*--chown"):
        apply_instruction(BASE, f"{name} --chown=me RUN x=1")


@pytest.mark.parametrize(
    "text",
    [
        "ONBUILD ONBUILD RUN x", "ONBUILD FROM x", "ONBUILD maintainer me", "ONBUILD BOGUS x",
        "EXPOSE http", "EXPOSE 8080:80", "STOPSIGNAL SIGBOGUS", "VOLUME data", "VOLUME /a\\ b",
        "VOLUME []", "WORKDIR $NO",
    ],
)  # fmt: skip
def test_arguments_that_cannot_be_meant_are_refused_with_the_instruction_named(text: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{text.split()[0]}: ") as refusal:
        apply_instruction(BASE, text)
    assert refusal.value.hint


@pytest.mark.parametrize("instructions", [[""], ["  \n"], ["# a comment"], ["", "#", "\\"]])
def test_texts_without_any_instruction_are_refused(instructions: list[str]) -> None:
    with pytest.raises(InvalidInput, match="no instruction"):
        apply_instructions(BASE, instructions)


def test_no_texts_at_all_change_nothing() -> None:
    assert apply_instructions(BASE, []) == BASE


def test_a_blank_text_among_others_is_skipped() -> None:
    assert apply_instructions(BASE, ["", "# why", "USER me"]).user == "me"


def test_a_backslash_at_the_end_of_one_text_does_not_swallow_the_next() -> None:
    config = apply_instructions(BASE, ["ENV X=1 \\", "USER me"])
    assert (config.env[-1], config.user) == ("X=1", "me")


def test_instructions_are_applied_in_order_each_seeing_the_one_before() -> None:
    config = apply_instructions(
        BASE,
        [
            "ENV HOME=/home/me",
            "WORKDIR $HOME",
            "WORKDIR app",
            "USER me",
            "VOLUME $HOME/data",
            "LABEL at=$HOME",
        ],
    )
    assert config.working_dir == "/home/me/app"
    assert config.volumes == {"/home/me/data"}
    assert config.labels == {"at": "/home/me"}


PUNCTUATION = "${}A:-+?#%/\\'\"[],= \t\n<9\0"


@given(
    st.sampled_from(
        [*KNOWN, "HEALTHCHECK --interval=", "HEALTHCHECK CMD", "ONBUILD RUN", "ENV X=", "RUN", ""]
    ),
    st.one_of(st.text(), st.text(PUNCTUATION)),
)
@example("CMD", " " + "[" * 100_000)
@example("HEALTHCHECK --interval=", "9" * 5000 + "s CMD x")
@example("HEALTHCHECK --retries=", "9" * 5000 + " CMD x")
def test_random_text_is_applied_or_refused_as_invalid_input_and_nothing_else(name: str, rest: str) -> None:
    try:
        config = apply_instruction(BASE, name + rest)
    except InvalidInput:
        return
    assert Config.from_api(config.to_api()) == config
