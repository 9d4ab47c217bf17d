"""What the demonstration shows on a terminal of 80 columns."""

import io
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from gateway.cli.demo_view import View, hanging


def test_on_a_narrow_terminal_the_value_is_cut_and_not_the_names() -> None:
    server: Any = SimpleNamespace(description="a server")
    city: Any = SimpleNamespace(describe=lambda: "2 sensors")
    view = View(server, server, Path("prehod.toml"), city, quiet=False)
    view.board.note("air_quality/aq-tito-square-north", "no2=33.7 pm10=17 pm25=7.9 " * 3, time.monotonic())
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(view.render())
    shown = console.export_text()
    assert all(len(line) <= 80 for line in shown.splitlines())
    for word in ("air_quality/aq-tito-square-north ", "no2=33.7", "…", " age ", "a minute", " s "):
        assert word in shown


def test_the_head_is_filled_beside_its_names_and_no_path_is_broken() -> None:
    path = f"/home/{'x-' * 40}/prehod.toml"
    assert hanging(f"configuration  {path}", 80).split() == ["configuration", path]
    first, second = hanging(
        "devices        2 SDS011 dust sensors, 1 OPS243 radar, 40 TPS110 parking spots", 60
    ).split("\n")
    assert len(first) <= 60
    assert second.startswith(f"{'':15}TPS110") or second == f"{'':15}parking spots"
