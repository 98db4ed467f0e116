"""Which words of a command hold a secret: by the name of a flag or variable, the command, their form."""

from __future__ import annotations

import re

#: What stands for something that was cut.
CUT = "…"

# The value of a name is a secret where one of the name's parts says so, as a whole or by its end.
_SECRET_PART = (
    r"passes|passwds|passwords|passcode|pw|secrets|tokens|auth|authorization|credentials?|creds|keys?|bearer|cookie"
    r"|pin|otp|masterauth|literal|sig|signature|.*(?:pass|pwd|passwd|password|passphrase|secret|token|apikey|accesskey|secretkey|privatekey|authkey)"
)
# What these end is about a secret, and none itself.
_HARMLESS_LAST_PART = r"files?|path|dir|folder|stdin|fd|prompt|length|size|type|through|checking|jar"
# `--no-password`, `--max-tokens`, `--recv-keys`.
_HARMLESS_FIRST_PART = r"no|max|min|num|recv"
_HARMLESS_NAMES = frozenset(["bypass", "compass", "encompass", "trespass", "surpass"])
# The shell's own variables; `pwd` in small letters is a password to MongoDB and ODBC.
_FOLDERS_OF_SHELLS = frozenset(["PWD", "OLDPWD"])
# As flags these are mostly the path of a key, a column to sort by, or yes and no.
_HARMLESS_FLAGS = frozenset(["key", "keys", "pin"])
# Lists of users and of public keys, that everybody may read.
_OPEN_FILES = frozenset(["passwd", "authorized_keys"])

# Short flags that a secret follows, in the next word or in the same one; of all commands that begin so.
_SECRET_LETTERS_OF_FAMILIES = {
    "mysql": "p",
    "mariadb": "p",
    "mycli": "p",
    "mongo": "p",
    "ldappasswd": "wsa",
    "ldap": "w",
    "7z": "p",
    "mosquitto_": "P",
}
_SECRET_LETTERS = {
    "sshpass": "p",
    "useradd": "p",
    "usermod": "p",
    "login": "p",  # of docker, podman, helm, ...: the verb makes it a password
    "curl": "uUb",
    "http": "a",
    "https": "a",
    "redis-cli": "a",
    "unrar": "p",
    "rar": "p",
    "rabbitmqadmin": "p",
    "twine": "p",
    "cqlsh": "p",
    "cypher-shell": "p",
    "lftp": "u",
    "yt-dlp": "p",
    "ssh-keygen": "NP",
    "zip": "P",
    "unzip": "P",
    "sqlcmd": "P",
    "bcp": "P",
    "ipmitool": "P",
    "smbclient": "U",
    "rpcclient": "U",
}
# The rest of a word after one of these short flags is its value, so no other flag follows in that word.
_LETTERS_WITH_VALUE = frozenset("AbcDdeFHhoPuX")
# Flags of one dash and more letters, or of commands with so many flags that a letter alone tells little.
_SECRET_FLAGS = {
    "openssl": frozenset(["-k", "-K", "-hmac"]),
    "plink": frozenset(["-pw"]),
    "pscp": frozenset(["-pw"]),
    "swaks": frozenset(["-ap"]),
    "sendemail": frozenset(["-xp"]),
    "snmpwalk": frozenset(["-A", "-X", "-c"]),
    "snmpget": frozenset(["-A", "-X", "-c"]),
    "snmpset": frozenset(["-A", "-X", "-c"]),
    "etcdctl": frozenset(["--user"]),
    "curl": frozenset(["--user", "--proxy-user"]),
}
# All that follows one of these verbs is secret, or as good as; a verb with a dash or a `_` tells it alone.
_SECRET_VERBS = {
    "mysqladmin": frozenset(["password"]),
    "redis-cli": frozenset(["auth"]),
    "openssl": frozenset(["passwd"]),
    "nmcli": frozenset(["password"]),
    "vault": frozenset(["login"]),
    "cargo": frozenset(["login"]),
    "bw": frozenset(["login", "unlock"]),
    "drush": frozenset(["user:password"]),
    "mc": frozenset(["alias", "host"]),
    "": frozenset(
        [
            *("htpasswd", "mkpasswd", "mosquitto_passwd", "wpa_passphrase"),
            *("add_user", "change_password", "authenticate_user", "authtoken", "add-authtoken"),
            *("set-initial-password", "reset-admin-password", "encrypt_string", "obscure"),
        ]
    ),
}

_KNOWN_FORMS = (
    r"gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}|(?:AKIA|ASIA)[0-9A-Z]{16}"
    r"|npm_\w{20,}|pypi-[\w-]{20,}|dckr_pat_[\w-]{20,}|AIza[\w-]{30,}|hv[sb]\.[\w-]{20,}|[sr]k_live_\w{16,}"
    r"|hooks\.slack\.com/services/\S+|SG\.[\w-]{16,}\.[\w-]+"
    r"|sk-[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|-----BEGIN[A-Z ]*PRIVATE KEY.*"
)
_SHORTEST_KNOWN_FORM = 15
_ASSIGNED = r"(?<![\w.-])(-*[A-Za-z_][\w.-]*)[\"']?[\]}]?[ \t]*(=|:)"
_IS_PASSWORD = re.compile(r"pass(?:word|wd|phrase)\Z", re.IGNORECASE)
_SCHEME_WORDS = r"\b((?:[Bb]earer|[Dd]igest)\s+|[Bb]asic\s+(?=\S{6}))\S.*"
# A user alone is no secret in a URL (ssh://git@host), but a token in its place is long; for the web it is
# seldom anything else.
_LONGEST_USER_NAME = 20
_WEB = re.compile(r"https?\Z", re.IGNORECASE)
# `user:password@host` without a scheme. Not so: `image:tag@sha256:…`, `npm:package@1.0`.
_LOGIN = re.compile(r"((?:\A|(?<==))(?!npm:|mailto:)[\w.+%-]+:)[^@\s:/][^@\s]*@(?!sha256:)")


def is_secret_name(name: str) -> bool:
    """Whether the value of a variable or setting of that name is to be cut."""
    name = name.strip("-").rpartition(":")[2]
    if not name or name in _FOLDERS_OF_SHELLS or name.lower() in _HARMLESS_NAMES:
        return False
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    parts = [part.rstrip("0123456789") for part in re.split(r"[^A-Za-z0-9]+", spaced.lower()) if part]
    if not parts or re.fullmatch(_HARMLESS_FIRST_PART, parts[0]):
        return False
    if re.fullmatch(_HARMLESS_LAST_PART, parts[-1]):
        return False
    return any(re.fullmatch(_SECRET_PART, part) and part not in _HARMLESS_NAMES for part in parts)


def is_secret_flag(word: str) -> bool:
    """Whether a secret follows that flag, as its value."""
    if not word.startswith("-") or len(word) < 4:
        return False
    name = word.lstrip("-")
    return name.lower() not in _HARMLESS_FLAGS and is_secret_name(name)


def is_secret_file(path: str) -> bool:
    """Whether what is written to a file of that path is a secret, by its name."""
    name = path.rpartition("/")[2].lstrip(".")
    return name not in _OPEN_FILES and is_secret_name(name)


def secret_flags(name: str) -> frozenset[str]:
    """Flags of a command that a secret follows, and whose names do not say it."""
    return _SECRET_FLAGS.get(name, frozenset())


def secret_verbs(name: str) -> frozenset[str]:
    """Words after which all that follows in a command of that name may be secret; ``""``: in any command."""
    return _SECRET_VERBS.get(name, frozenset())


def secret_letters(name: str) -> str:
    """The letters of the short flags that a secret follows, for a command (or its verb) of that name."""
    for begin, letters in _SECRET_LETTERS_OF_FAMILIES.items():
        if name.startswith(begin):
            return letters
    return _SECRET_LETTERS.get(name, "")


def short_flag_with_secret(word: str, letters: str) -> tuple[str, str] | None:
    """Split ``-pSECRET`` into its flag and the secret (empty where it is the next word).

    Other letters may stand before it (``-su user:secret``). Returns ``None`` where it is no such flag.
    """
    if not letters or not word.startswith("-") or word.startswith("--"):
        return None
    for index, char in enumerate(word[1:], 1):
        if char in letters:
            return word[: index + 1], word[index + 1 :]
        if char in _LETTERS_WITH_VALUE or not char.isalnum():
            return None
    return None


def without_known_forms(text: str) -> str:
    """A text without what is a secret by its form: tokens of well-known makers, private keys."""
    if len(text) < _SHORTEST_KNOWN_FORM:
        return text
    return re.sub(_KNOWN_FORMS, CUT, text, flags=re.DOTALL)


def redacted_word(word: str) -> str:
    """One word without the secrets that it holds: values of names, passwords in URLs, headers."""
    if "://" in word:
        word = _without_userinfo(word)
    elif "@" in word:
        word = _LOGIN.sub(rf"\1{CUT}@", word)
    if " " in word or "\t" in word or "\n" in word:
        word = re.sub(_SCHEME_WORDS, rf"\1{CUT}", word, count=1, flags=re.DOTALL)
    if ":" in word or "=" in word:
        for found in re.finditer(_ASSIGNED, word):
            value = word[found.end() :]
            if value and value != CUT and _is_assignment(word, found, value):
                space = value[: len(value) - len(value.lstrip(" "))]
                return word[: found.end()] + space + CUT
    return word


def _is_assignment(word: str, found: re.Match[str], value: str) -> bool:
    name, sign = found[1].removeprefix("-H"), found[2]
    if sign == "=":
        return is_secret_flag(name) if name.startswith("-") else is_secret_name(name)
    if name == "pass" and found.start() == 0:
        return True  # openssl's pass:SECRET
    # `my-token:/data` is a place in a container.
    if value[0] == "/" or name.lower() in _HARMLESS_FLAGS or not is_secret_name(name):
        return False
    if _IS_PASSWORD.search(name):
        return True
    # As in JSON, YAML or a header; `token:/data` and `secret:latest` are something else.
    is_quoted = word[found.end(1)] in "\"'" or value[0] in "\"'"
    return is_quoted or value[0] in " \t=" or "-" in name or name.lower() in {"authorization", "cookie"}


def _without_userinfo(word: str) -> str:
    scheme, _, rest = word.partition("://")
    userinfo, at, host = rest.rpartition("@")
    user, colon, password = userinfo.partition(":")
    if not at:
        return word
    is_long = len(user) > _LONGEST_USER_NAME and "/" not in user
    if colon and password:
        # A password may hold anything, a slash too; the name of the user ends at the first colon.
        return f"{scheme}://{CUT if is_long else user}:{CUT}@{host}"
    if is_long or (user and "/" not in user and _WEB.search(scheme)):
        return f"{scheme}://{CUT}@{host}"
    return word
