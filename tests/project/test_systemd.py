"""The files of an installation do what docs/install.md promises, as far as can be told without a running systemd."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_sim.patience import patience
from tests.support.requirements import require_program

HERE = Path(__file__).parents[2] / "systemd"
UNIT = HERE / "prehod.service"
RULES = HERE / "99-prehod.rules"

MATCHES = {"ACTION", "SUBSYSTEM", "ENV"}
ASSIGNMENTS = {"ENV", "GROUP", "MODE", "SYMLINK", "GOTO", "LABEL"}
RULE = re.compile(r'([A-Z]+)(?:\{([A-Za-z_]+)\})?(==|!=|\+=|:=|=)"([^"]*)"')


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of systemd's tools."""
    require_program(str(command[0]))
    environment = {**os.environ, "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "cat"}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=patience(), env=environment)


def settings() -> list[tuple[str, str]]:
    lines = (line.partition("=") for line in UNIT.read_text(encoding="utf-8").splitlines())
    return [(key, value) for key, equals, value in lines if equals and not key.startswith("#")]


def rules() -> Iterator[tuple[str, list[tuple[str, str, str, str]]]]:
    for line in RULES.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line, RULE.findall(line)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists on every machine: verify complains about a missing one."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/prehod/bin/prehod", "/bin/true"), encoding="utf-8")
    return copy


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty system with Debian's dialout and no user of ours."""
    etc = tmp_path / "root" / "etc"
    etc.mkdir(parents=True)
    (etc / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n", encoding="utf-8")
    (etc / "group").write_text("root:x:0:\ndialout:x:20:\n", encoding="utf-8")
    return etc.parent


def test_systemd_has_nothing_to_say_about_the_unit(unit: Path) -> None:
    # An unknown key is only a warning with exit code 0, so silence is what counts.
    result = run("systemd-analyze", "verify", "--man=no", unit)
    assert (result.stdout + result.stderr, result.returncode) == ("", 0)


def test_the_exposure_level_stays_at_two_or_better() -> None:
    result = run("systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", UNIT)
    assert result.returncode == 0, result.stdout[-300:] + result.stderr


def test_the_service_starts_without_waiting_for_network_or_time() -> None:
    ordering = " ".join(value for key, value in settings() if key in {"After", "Wants", "Requires", "BindsTo"})
    assert ordering == "network.target"


def test_a_missing_secret_does_not_keep_the_service_from_starting() -> None:
    # A source without a slash is looked up in /etc/credstore and may be missing; an absolute path may not.
    secrets = dict(value.split(":") for key, value in settings() if key == "LoadCredential")
    assert secrets == {"mqtt-password": "prehod.mqtt-password", "influxdb-token": "prehod.influxdb-token"}


def test_the_unit_allows_serial_ports_by_number_and_no_other_device() -> None:
    allowed = {value for key, value in settings() if key == "DeviceAllow"}
    assert allowed == {f"char-{major} rw" for major in (4, 166, 188, 204)}
    assert ("DevicePolicy", "closed") in settings()


def test_reading_the_clock_state_is_allowed_after_the_clock_group_was_taken_away() -> None:
    filters = [value for key, value in settings() if key == "SystemCallFilter"]
    assert any(value.startswith("~") and "@privileged" in value for value in filters[:-1])
    assert filters[-1].split() == ["adjtimex", "clock_adjtime", "clock_adjtime64"]
    assert ("ProtectClock", "no") in settings()
    assert ("CapabilityBoundingSet", "") in settings()


def test_the_user_is_made_and_may_open_serial_ports(root: Path) -> None:
    result = run("systemd-sysusers", f"--root={root}", HERE / "prehod.sysusers")
    assert result.returncode == 0, result.stderr
    users = (root / "etc/passwd").read_text(encoding="utf-8")
    groups = (root / "etc/group").read_text(encoding="utf-8").splitlines()
    assert re.search(
        r"^prehod:x:\d+:\d+:Prehod sensor gateway:/var/lib/prehod:/usr/sbin/nologin$", users, re.MULTILINE
    )
    assert "dialout:x:20:prehod" in groups


def test_the_directories_are_made_and_a_loose_secret_is_closed(root: Path) -> None:
    # Only our own rights can be given without being root: the owners are changed to whoever runs this.
    text = re.sub(
        r"\b(root|prehod)( +)(root|prehod)\b", "- -", (HERE / "prehod.tmpfiles").read_text(encoding="utf-8")
    )
    adapted = root / "prehod.conf"
    adapted.write_text(text, encoding="utf-8")
    secret = root / "etc/credstore/prehod.mqtt-password"
    secret.parent.mkdir()
    secret.write_text("secret", encoding="utf-8")
    secret.chmod(0o644)
    result = run("systemd-tmpfiles", "--create", f"--root={root}", adapted)
    assert (result.stderr, result.returncode) == ("", 0)
    modes = {name: (root / name).stat().st_mode & 0o777 for name in ("etc/prehod", "var/lib/prehod", "etc/credstore")}
    assert modes == {"etc/prehod": 0o755, "var/lib/prehod": 0o750, "etc/credstore": 0o700}
    assert secret.stat().st_mode & 0o777 == 0o600


def test_every_udev_rule_can_be_parsed() -> None:
    for line, parts in rules():
        written = ", ".join(
            f'{key}{{{name}}}{operator}"{value}"' if name else f'{key}{operator}"{value}"'
            for key, name, operator, value in parts
        )
        assert written == line
        for key, name, operator, _ in parts:
            assert key in (MATCHES if operator in {"==", "!="} else ASSIGNMENTS), line
            assert bool(name) == (key == "ENV"), line
    if "verify" in run("udevadm", "--help").stdout:  # since systemd 254
        result = run("udevadm", "verify", RULES)
        assert result.returncode == 0, result.stdout + result.stderr


def test_every_jump_in_the_udev_rules_goes_forward_to_a_label() -> None:
    parts = [part for _, line in rules() for part in line]
    labels = {value: place for place, (key, _, _, value) in enumerate(parts) if key == "LABEL"}
    jumps = [(value, place) for place, (key, _, _, value) in enumerate(parts) if key == "GOTO"]
    assert jumps
    assert {value for value, _ in jumps} == set(labels)
    assert all(place < labels[value] for value, place in jumps)
