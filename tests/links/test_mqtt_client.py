"""What `PahoClient` takes over from inside paho is there: private names, which any new version may rename."""

import ast
import inspect
import re
import tomllib
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gateway.links.mqtt import client

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def private_names() -> set[str]:
    """Return paho's private names that `PahoClient` reads, sets or replaces: all but those of its own."""
    names = {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(client.PahoClient)))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    return {name for name in names | set(vars(client.PahoClient)) if re.fullmatch("_[a-z][a-z_]*", name)} - OWN


OWN = {"_settings"}
"""What `PahoClient` keeps for itself."""


def test_the_private_names_in_use_are_there() -> None:
    original = paho.Client(CallbackAPIVersion.VERSION2)
    missing = sorted(name for name in private_names() if not hasattr(original, name))
    assert missing == [], (
        "paho renamed what gateway/links/mqtt/client.py uses: adapt PahoClient, then raise the bound"
    )


def test_the_names_in_use_are_the_ones_that_we_know_of() -> None:
    assert private_names() == {"_create_socket", "_in_packet", "_last_bytes_received", "_ping_t"}


def test_our_names_hide_none_of_paho() -> None:
    original = paho.Client(CallbackAPIVersion.VERSION2)
    ours = {"v5", "context", *OWN, *vars(client.PahoClient)} - {"_create_socket"}
    ours = {name for name in ours if not name.startswith("__")}
    assert len(ours) > 5
    assert sorted(name for name in ours if hasattr(original, name)) == []


def test_a_packet_that_paho_has_not_begun_has_command_0() -> None:
    original = paho.Client(CallbackAPIVersion.VERSION2)
    assert original._in_packet["command"] == 0, "PahoClient.between_packets relies on it"


def test_paho_connects_through_the_method_that_is_replaced() -> None:
    calls = inspect.getsource(paho.Client.reconnect)
    assert "self._create_socket()" in calls, "PahoClient replaces it to connect by a GatheringSocket"


def test_the_private_names_of_paho_s_websocket_are_there() -> None:
    wrapper = paho._WebsocketWrapper
    assert {"_recv_impl", "_create_frame", "_buffered_read"} <= vars(wrapper).keys()
    assert list(inspect.signature(wrapper).parameters) == [
        "socket",
        "host",
        "port",
        "is_ssl",
        "path",
        "extra_headers",
    ]
    assert "self._readbuffer_head" in inspect.getsource(wrapper._buffered_read)


def test_a_new_minor_version_of_paho_is_taken_by_hand_only() -> None:
    dependencies = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    (bound,) = [one for one in dependencies if one.startswith("paho-mqtt")]
    major, minor = re.fullmatch(r"paho-mqtt>=(\d+)\.(\d+),<\1\.\d+", bound).groups()  # type: ignore[union-attr] # a failure says it
    assert bound == f"paho-mqtt>={major}.{minor},<{major}.{int(minor) + 1}", "its private names are in use"
