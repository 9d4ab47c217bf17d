"""State of Sparkplug edge nodes between their messages: valid births, and the number of the next message.

A birth is valid until a message is missing: then any alias may mean something else by now, and all are forgotten
until the node is born again. Values read last are remembered beyond that, so that a birth doubles no reading.
"""

from dataclasses import dataclass, field

from drivers.sparkplug_b.devices import Device

MAX_REMEMBERED = 50_000
"""Aliases and metrics of all nodes; beyond that, the node that was silent the longest is forgotten."""


@dataclass(slots=True)
class Node:
    """An edge node; ``expected`` is the number that its next message has, None without a valid birth."""

    group: str
    name: str
    kind: str | None
    expected: int | None = None
    why: str = "its NBIRTH was not heard"
    """Why there is no valid birth."""
    leaves_zeros_out: bool = False
    """As its number 0 showed."""
    bd_seq: int | None = None
    devices: dict[str, Device] = field(default_factory=dict)
    counted: int = 0
    """How much of it is in the sum of all nodes."""

    def device(self, name: str) -> Device:
        """Return a device, "" for the node itself."""
        device = self.devices.get(name)
        if device is None:
            sensor = "/".join(part for part in (self.group, self.name, name) if part)
            device = self.devices[name] = Device(sensor, self.kind)
        return device

    def born(self, seq: int, bd_seq: int | None) -> None:
        """Begin to count; its devices are born after it."""
        self.forget("its birth did not say")
        self.expected = (seq + 1) % 256
        self.bd_seq = bd_seq

    def count(self, seq: int | None) -> None:
        """Look whether this message is the next one."""
        if self.expected is None:
            return
        self.leaves_zeros_out |= seq is None and self.expected == 0
        if (seq or 0) != self.expected:
            self.forget(f"its message {seq} came where {self.expected} was due")
        else:
            self.expected = (self.expected + 1) % 256

    def forget(self, why: str) -> None:
        """Make the births of the node and its devices invalid."""
        self.expected = None
        self.why = why
        for device in self.devices.values():
            device.forget()


class Nodes:
    """All nodes, the one heard last at the end."""

    def __init__(self, kind: str | None, max_remembered: int = MAX_REMEMBERED) -> None:
        self._kind = kind
        self._max_remembered = max_remembered
        self._nodes: dict[tuple[str, str], Node] = {}
        self._total = 0

    def get(self, group: str, name: str) -> Node:
        """Return a node, and make it the one that was heard last."""
        node = self._nodes.pop((group, name), None) or Node(group, name, self._kind)
        self._nodes[group, name] = node
        return node

    def bound(self, node: Node, device: Device | None) -> None:
        """Keep to the bound after a message of a node, about one of its devices or about none that is known."""
        more = 0 if node.counted else 4
        if device is not None:
            size = 4 + len(device.known) + len(device.aliases)
            more += size - device.counted
            device.counted = size
        node.counted += more
        self._total += more
        while self._total > self._max_remembered:
            oldest = next(iter(self._nodes))
            self._total -= self._nodes.pop(oldest).counted
