from __future__ import annotations

from dataclasses import replace

from snapshot.engine.types import Config, Healthcheck
from snapshot.report.model import ConfigRow
from snapshot.workflow.reporting.config_rows import config_rows

FULL = Config(
    env=("PATH=/usr/bin:/bin", "WHO=Elton"),
    cmd=("serve", "--port", "80"),
    entrypoint=("/bin/start it",),
    working_dir="/srv",
    user="web",
    labels={"team": "blue"},
    exposed_ports=frozenset({"80/tcp", "443/tcp"}),
    volumes=frozenset({"/data"}),
    stop_signal="SIGINT",
    healthcheck=Healthcheck(("CMD-SHELL", "true"), retries=3),
    on_build=("RUN make",),
    shell=("/bin/bash", "-c"),
)


def told(before: Config | None, after: Config) -> dict[str, tuple[str | None, str | None]]:
    return {row.name: (row.before, row.after) for row in config_rows(before, after)}


def test_every_part_is_told() -> None:
    assert told(None, FULL) == {
        "cmd": (None, '["serve", "--port", "80"]'),
        "entrypoint": (None, '["/bin/start it"]'),
        "env PATH": (None, "/usr/bin:/bin"),
        "env WHO": (None, "Elton"),
        "expose": (None, "443/tcp, 80/tcp"),
        "healthcheck": (None, "--retries=3 CMD true"),
        "label team": (None, "blue"),
        "onbuild": (None, "RUN make"),
        "shell": (None, '["/bin/bash", "-c"]'),
        "stop-signal": (None, "SIGINT"),
        "user": (None, "web"),
        "volume": (None, "/data"),
        "workdir": (None, "/srv"),
    }


def test_each_field_of_a_config_makes_a_difference() -> None:
    for field, value in Config().__dict__.items():
        changed = replace(FULL, **{field: value})
        assert any(row.before != row.after for row in config_rows(FULL, changed)), field


def test_a_part_that_goes_is_there_with_what_it_was() -> None:
    rows = [
        row for row in config_rows(FULL, replace(FULL, user="", env=FULL.env[:1])) if row.before != row.after
    ]
    assert rows == [ConfigRow("env WHO", "Elton", None), ConfigRow("user", "web", None)]


def test_secrets_are_cut_wherever_they_stand() -> None:
    secret = "hush-hush-1"
    config = Config(
        env=(f"DB_PASSWORD={secret}", f"URL=https://me:{secret}@host/", "GH=ghp_" + "a" * 36),
        cmd=("run", f"--password={secret}", secret),
        entrypoint=("sh", "-c", f"mysql -p{secret}"),
        labels={"api-token": secret},
        healthcheck=Healthcheck(("CMD-SHELL", f"curl -u me:{secret} localhost")),
        on_build=(f"RUN login --token {secret}",),
    )
    rows = config_rows(None, config)
    assert len(rows) == 8
    assert secret not in repr(rows)
    assert "ghp_" not in repr(rows)
    assert told(None, config)["env DB_PASSWORD"] == (None, "…")


def test_a_secret_that_changed_is_told_as_such() -> None:
    before, after = Config(env=("TOKEN=one",)), Config(env=("TOKEN=two",))
    assert told(before, after) == {"env TOKEN": ("…", "… (another value)")}
    assert told(before, before) == {"env TOKEN": ("…", "…")}


def test_snap_s_own_labels_are_left_out() -> None:
    assert told(None, Config(labels={"io.github.docker-snap.record": "{}"})) == {}
