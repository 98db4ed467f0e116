"""What could hold a secret is cut from commands, and ordinary commands stay as they are."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapshot.journal.redaction import redacted_argv

# Both ends can be recognised: neither may survive, whatever stands between them.
BEGIN, END = "Zq7", "Yw9"
SECRETS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12).map(
    lambda middle: BEGIN + middle + END
)

#: Commands with a secret in them.
COMMANDS: dict[str, Callable[[str], list[str]]] = {
    "--password=": lambda secret: ["tool", f"--password={secret}", "-v"],
    "--password": lambda secret: ["tool", "--password", secret, "-v"],
    "--passwd": lambda secret: ["tool", "--passwd", secret],
    "--pass": lambda secret: ["tool", "--pass", secret],
    "--token": lambda secret: ["tool", f"--token={secret}"],
    "--secret": lambda secret: ["tool", "--secret", secret],
    "--api-key": lambda secret: ["tool", "--api-key", secret],
    "--access-key": lambda secret: ["tool", f"--access-key={secret}"],
    "--auth": lambda secret: ["tool", "--auth", secret],
    "mysql": lambda secret: ["mysql", "-uroot", f"-p{secret}", "db"],
    "mysql by path": lambda secret: ["/usr/bin/mysql", "-u", "root", f"-p{secret}"],
    "mysqldump": lambda secret: ["sudo", "mysqldump", "-p", secret],
    "mariadb": lambda secret: ["mariadb", f"-p{secret}"],
    "mysqladmin": lambda secret: ["mysqladmin", "-vp" + secret, "status"],
    "sshpass": lambda secret: ["sshpass", "-p", secret, "ssh", "host"],
    "sshpass in one word": lambda secret: ["sshpass", "-p" + secret, "ssh", "host"],
    "curl -u": lambda secret: ["curl", "-u", f"user:{secret}", "https://host"],
    "curl -su": lambda secret: ["curl", "-su", f"user:{secret}", "https://host"],
    "curl --user": lambda secret: ["curl", "--user", f"user:{secret}", "https://host"],
    "curl --proxy-user": lambda secret: ["curl", f"--proxy-user=user:{secret}", "https://host"],
    "wget": lambda secret: ["wget", f"--http-password={secret}", "https://host"],
    "htpasswd": lambda secret: ["htpasswd", "-bc", "/file", "user", secret],
    "code": lambda secret: ["python", "-c", f"os.environ['TOKEN'] = {secret!r}"],
    "sql": lambda secret: ["psql", "-c", "alter role me with password '" + secret.replace("'", "''") + "'"],
    "json": lambda secret: ["curl", "-d", json.dumps({"password": secret}), "https://host"],
    "docker login": lambda secret: ["docker", "login", "-p", secret, "host"],
    "redis-cli": lambda secret: ["redis-cli", "-a", secret],
    "openssl": lambda secret: ["openssl", "rsa", "-passin", f"pass:{secret}"],
    "url": lambda secret: ["git", "clone", f"https://user:{secret}@host/repo"],
    "header": lambda secret: ["curl", "-H", f"Authorization: Bearer {secret}", "https://host"],
    "other header": lambda secret: ["curl", "-H", f"X-Api-Key: {secret}"],
    "kubectl": lambda secret: ["kubectl", "create", "secret", "generic", "x", f"--from-literal=a={secret}"],
    "variable": lambda secret: ["env", f"DB_PASSWORD={secret}", "tool"],
    "user in a URL": lambda secret: ["git", "clone", f"https://{re.sub('[/:]', '', secret)}@host/repo"],
    "mysqladmin password": lambda secret: ["mysqladmin", "-u", "root", "password", secret],
    "redis-cli auth": lambda secret: ["redis-cli", "-h", "host", "AUTH", "default", secret],
    "openssl -k": lambda secret: ["openssl", "enc", "-aes-256-cbc", "-k", secret],
    "set password": lambda secret: ["mysql", "-e", f"SET PASSWORD FOR 'x'@'%' = PASSWORD({secret!r})"],
    "identified with": lambda secret: [
        *("mysql", "-e"),
        "CREATE USER x IDENTIFIED WITH mysql_native_password BY '" + secret.replace("'", "''") + "'",
    ],
    "pwd": lambda secret: ["mongo", "--eval", "db.createUser(" + json.dumps({"pwd": secret}) + ")"],
    "--pwd": lambda secret: ["tool", "--pwd", secret],
    "call": lambda secret: ["python", "-c", f"u.set_password({secret!r})"],
    "config": lambda secret: ["npm", "config", "set", "//host/:_authToken", secret],
}

#: Lines of shell with a secret in them, already quoted.
LINES: dict[str, Callable[[str], str]] = {
    "variable": lambda word: f"PASSWORD={word} tool --verbose",
    "export": lambda word: f"set -e; export TOKEN={word} && tool",
    "key": lambda word: f"AWS_SECRET_ACCESS_KEY={word}\nexport AWS_SECRET_ACCESS_KEY",
    "flag": lambda word: f"cd /x && tool --password={word} | tee log",
    "flag and word": lambda word: f"tool --password {word} > log",
    "mysql": lambda word: f"mysql -uroot -p{word} < dump.sql",
    "sshpass": lambda word: f"sshpass -p {word} ssh host",
    "curl": lambda word: f"curl -fsS -u user:{word} https://host",
    "header": lambda word: f"curl -H 'Authorization: Bearer '{word}",
    "url": lambda word: f"git clone https://user:{word}@host/repo",
    "chpasswd": lambda word: f"echo root:{word} | chpasswd",
    "stdin": lambda word: f"printf %s {word} | docker login -u me --password-stdin",
    "netrc": lambda word: f"echo machine host login me password {word} > .netrc",
    "twice": lambda word: f"(echo {word}; echo {word}) | passwd root",
    "file": lambda word: f"echo {shlex.quote('requirepass ' + word)} >> /etc/redis.conf",
    "curl --user": lambda word: f"curl --user me:{word} https://host",
    "sql": lambda word: f"mysql -e {shlex.quote('create user x identified by ' + word)}",
    "nested": lambda word: f"su - me -c {shlex.quote('mysql -p' + word)}",
    "here": lambda word: f"chpasswd <<< {word}",
    "substitution": lambda word: f"export TOKEN=$(echo {word} | base64)",
    "array": lambda word: f"PASSWORDS=(a {word})",
    "sudo": lambda word: f"echo {word} | sudo -kS ls",
    "to a file": lambda word: f"printf %s {word} > /run/secrets/db_password",
    "backticks": lambda word: f"TOKEN=`echo {word}` tool",
    "piped file": lambda word: f"cat <<X | chpasswd\nroot:{word}\nX",
    "settings": lambda word: f"cat > /etc/app.conf <<X\nport = 1\npassword = {word}\nX",
    "netrc lines": lambda word: f"cat > ~/.netrc <<X\nmachine host\npassword {word}\nX",
    "pwd": lambda word: f"MYSQL_PWD={word} mysql db",
    "after an apostrophe": lambda word: f"# don't\nredis-cli -a {word} ping",
    "continued": lambda word: f"tool \\\n  --token \\\n  {word}",
}


def redacted_text(line: str) -> tuple[str, bool]:
    """A line of shell without what could hold a secret, and whether anything was cut."""
    argv, cut = redacted_argv(["sh", "-c", line])
    return argv[2], cut


def in_double_quotes(secret: str) -> str:
    for char in '\\"$`':
        secret = secret.replace(char, "\\" + char)
    return f'"{secret}"'


def assert_is_gone(argv: list[str], env: list[str] | None = None) -> None:
    redacted, cut = redacted_argv(argv, env or [])
    assert cut
    assert len(redacted) == len(argv)
    assert BEGIN not in " ".join(redacted), redacted
    assert END not in " ".join(redacted), redacted


@pytest.mark.parametrize("form", COMMANDS)
@settings(max_examples=40, deadline=None)
@given(secret=SECRETS)
def test_a_secret_among_the_words_never_survives(form: str, secret: str) -> None:
    assert_is_gone(COMMANDS[form](secret))


@pytest.mark.parametrize("form", LINES)
@pytest.mark.parametrize("quoted", [shlex.quote, in_double_quotes])
@settings(max_examples=40, deadline=None)
@given(secret=SECRETS)
def test_a_secret_in_a_line_of_shell_never_survives(
    form: str, quoted: Callable[[str], str], secret: str
) -> None:
    line = LINES[form](quoted(secret))
    assert_is_gone(["sh", "-c", line])
    assert_is_gone(["bash", "-lc", f"sh -c {shlex.quote(line)}"])
    assert BEGIN not in redacted_text(line)[0]


@settings(max_examples=40, deadline=None)
@given(secret=SECRETS)
def test_a_given_value_never_survives_where_it_is_typed_again(secret: str) -> None:
    assert_is_gone(["tool", "x" + secret, "y"], [f"WHO={secret}"])
    assert_is_gone(["sh", "-c", f"echo {secret}"], ["A=b", f"WHO={secret}"])


def test_a_given_value_never_survives_quotes_of_any_kind() -> None:
    value = f'{BEGIN} it\'s $5 \\ "{END}"'
    written = [
        shlex.quote(value),
        in_double_quotes(value),
        json.dumps(value),
        "'" + value.replace("'", "'\\''") + "'",
    ]
    for word in written:
        assert_is_gone(["sh", "-c", f"echo {word} > /a"], [f"WHO={value}"])
    assert_is_gone(["sh", "-c", f"echo {BEGIN}'-'\"{END}\""], [f"WHO={BEGIN}-{END}"])


@pytest.mark.parametrize(
    "line",
    [
        "curl -d 'user=me&password=hunter2' https://host",
        "curl -H X-Api-Key:hunter2 https://host",
        "curl -H'Authorization: token hunter2' https://host",
        "curl -x me:hunter2@proxy:3128 https://host",
        "curl -b session=hunter2 https://host",
        "tool --dsn 'me:hunter2@tcp(db:3306)/x'",
        "echo '<password>hunter2</password>' > /etc/app.xml",
        "echo 'db.password:hunter2' > /etc/app.properties",
        "cat > a.py <<X\nD={'default':{'PASSWORD':'hunter2'}}\nX",
        "cat > a.php <<X\ndefine('DB_PASSWORD', 'hunter2');\nX",
        'cat > a.json <<X\n{"password" : "hunter2"}\nX',
        "rabbitmqctl add_user me hunter2",
        "vault login hunter2",
        "redis-server --masterauth hunter2",
        "echo hunter2 | gh auth login --with-token",
        "git clone https://0123456789abcdefghunter2:x-oauth-basic@host/repo",
        "curl https://hooks.slack.com/services/T0/B0/hunter2",
    ],
)
def test_a_secret_of_a_known_program_or_file_is_cut(line: str) -> None:
    assert "hunter2" not in redacted_text(line)[0]
    assert "hunter2" not in redacted_argv(["sh", "-c", line])[0][2]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40), max_size=6))
def test_any_command_has_one_redacted_form_of_as_many_words(argv: list[str]) -> None:
    redacted, cut = redacted_argv(argv)
    assert len(redacted) == len(argv)
    assert cut == (list(redacted) != argv)
    assert redacted_argv(argv) == (redacted, cut)


@pytest.mark.parametrize(
    "line",
    [
        "tar -pxf x",
        "ls -p",
        "ls -la /",
        "python -m pass",
        "cp -p a b",
        "mysql -p",
        "mysql -u root -p -e 'select 1'",
        "vi ch03.txt",
        "sort --key=2 words",
        "grep password /etc/x",
        "git clone ssh://git@host/repo",
        "git log --author=me",
        "curl -fsSL https://host:8080/path?x=1",
        "curl -XPUT -o out https://host",
        "docker run -p 80:80 -v token:/data secret:latest",
        "docker login -u me --password-stdin",
        "ssh -o StrictHostKeyChecking=no host",
        "tool --password-file /run/secrets/x --no-password",
        "apt-get install -y --no-install-recommends nano",
        "apk add --no-cache passwd",
        "stty size",
        "env PATH=/bin LANG=C PWD=/ KEYBOARD=de AUTHOR=me tool",
        "sh -c 'echo $WHO >> ch03.txt'",
        "sh -c 'set -e; cd /x && make -j4; for i in 1 2; do echo $i; done'",
        "sh -c 'cat /etc/passwd | grep root; echo done'",
        "sh -c 'echo \"location / { proxy_pass http://app:80; }\" > /etc/nginx/x'",
        "sh -c 'echo \"it is\" > /a; rm -rf /b'",
        "sh -c 'x=$(pwd) && cd $x'",
        'sh -c \'test "$PASSWORD" = "" || exit 1\'',
        "sh -c 'echo me:x:1000:1000::/home/me:/bin/sh >> /etc/passwd'",
        "echo 'Enter your password:'",
        "git commit -m 'fix token handling'",
        "psql -c 'select id, password from users'",
        "mysql -e 'create table users (id int, password varchar(20))'",
        "docker pull host:5000/image:tag@sha256:abc",
        "npm install a@npm:b@1.0",
        "docker run -v my-token:/data auth-service:/etc/",
        "tool --max-tokens=100 --cookie-jar file",
        "apt-key adv --recv-keys ABC",
        "ssh-keygen -t ed25519 -f k -N ''",
    ],
)
def test_an_ordinary_command_stays_as_it_is(line: str) -> None:
    argv = tuple(shlex.split(line))
    assert redacted_argv(argv) == (argv, False)
    assert redacted_text(line) == (line, False)


def test_what_is_around_a_secret_stays() -> None:
    line = "PASSWORD='a b' tool && mysql -uroot -psecret db; echo done"
    assert redacted_text(line) == ("PASSWORD=… tool && mysql -uroot -p… db; echo done", True)
    assert redacted_argv(["git", "clone", "https://me:secret@host/repo"]) == (
        ("git", "clone", "https://me:…@host/repo"),
        True,
    )


def test_a_secret_in_prose_goes_on_to_the_next_space() -> None:
    line = "echo 'requirepass a)b&c' >> /etc/redis.conf"
    assert redacted_text(line) == ("echo 'requirepass …)…&…' >> /etc/redis.conf", True)


def test_short_values_are_cut_as_whole_words_only() -> None:
    argv, cut = redacted_argv(["sh", "-c", "echo 1 a1 $N=1"], ["N=1", "EMPTY=", "NAME"])
    assert argv == ("sh", "-c", "echo … a1 $N=…")
    assert cut


def test_tokens_are_known_by_their_form() -> None:
    token = "ghp_" + "a1B2" * 9
    assert redacted_argv(["echo", token]) == (("echo", "…"), True)
    assert redacted_text(f"git clone https://{token}@host/x") == ("git clone https://…@host/x", True)


def test_a_long_text_is_quickly_done() -> None:
    text = "a" * 200_000 + " 'b" * 1000 + ":" * 1000
    assert redacted_text(text)[1] is False
