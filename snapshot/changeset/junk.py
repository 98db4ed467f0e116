"""Junk: what work in a container leaves behind and no image needs; left out with ``--junk``.

The list is short and in the open. It leaves files out, and hardly ever a folder: a program may need its
``/var/log/nginx`` to start, so of logs the files go by their names and the folders stay. It never holds
a deletion back. :data:`JUNK` has each pattern with its reason, and :func:`junk_as_ignore_file` gives the
same as a file to edit.
"""

from __future__ import annotations

from dataclasses import dataclass

from snapshot.changeset.exclusion import Rule


@dataclass(frozen=True)
class Junk:
    """A pattern, and in one line what it matches and why no image needs that."""

    pattern: str
    reason: str

    @property
    def rule(self) -> Rule:
        """The pattern as a rule."""
        return Rule(self.pattern, takes_in=False, origin="junk")


JUNK = (
    Junk("/var/cache/apt/**", "packages that apt downloaded, and its index of them"),
    Junk("/var/lib/apt/lists/**", "package lists; apt-get update fetches them again"),
    Junk("/var/lib/dpkg/*-old", "dpkg's backups of its database"),
    Junk("/var/cache/debconf/*-old", "debconf's backups of its database"),
    Junk("/var/cache/apk/**", "packages and lists that apk downloaded"),
    Junk("/var/cache/dnf/**", "packages and lists that dnf downloaded"),
    Junk("**/.cache/pip", "packages that pip downloaded or built"),
    Junk("**/.cache/uv", "packages that uv downloaded or built"),
    Junk("**/.npm/_cacache", "packages that npm downloaded"),
    Junk("**/.npm/_logs", "npm's logs of its own runs"),
    Junk("**/__pycache__", "compiled Python; Python compiles it again"),
    Junk("*.pyc", "the same, beside its source"),
    Junk(".*_history", "what was typed at bash, ash, zsh, Python, psql, mysql, ..."),
    Junk(".lesshst", "what was searched for in less"),
    Junk(".viminfo", "what was edited, searched for and yanked in vim"),
    Junk("/tmp/**", "temporary files"),
    Junk("/var/tmp/**", "temporary files that outlive a restart"),
    Junk("/var/log/*log", "logs without a dot: lastlog, faillog, syslog; of dpkg and alternatives"),
    Junk("/var/log/[bw]tmp", "who logged in, and who tried to"),
    Junk("/var/log/**/*.log", "logs of programs; their folders stay"),
    Junk("/var/log/**/*.log.*", "logs that were rotated or packed"),
    Junk("/var/log/journal/**", "systemd's journal"),
)


def junk_rules() -> list[Rule]:
    """The rules of ``--junk``, in order."""
    return [junk.rule for junk in JUNK]


def junk_as_ignore_file() -> str:
    """The list as a file of rules, each below its reason; :func:`parse_ignore_file` reads it."""
    head = (
        "# What `snap commit --junk` leaves out. Take a line out to keep such files; add lines of your own.\n"
        "# In a .snapignore these lines keep deletions out of the image too; --junk never does.\n"
    )
    return head + "".join(f"\n# {junk.reason}\n{junk.pattern}\n" for junk in JUNK)
