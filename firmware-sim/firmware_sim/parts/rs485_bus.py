"""Several devices on one RS-485 line: each hears every question, and the one that is meant answers."""

from collections.abc import Callable, Sequence

from firmware_sim.parts.twin import Frame, SerialTwin


class Bus:
    """The devices together, as one at the end of a line; see `parts.twin.SerialTwin`."""

    def __init__(self, twins: Sequence[SerialTwin]) -> None:
        self.twins = twins

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Let every device hear it."""
        return self._all(lambda twin: twin.receive(data, now))

    def tick(self, now: float) -> list[Frame]:
        """Return what each says by itself."""
        return self._all(lambda twin: twin.tick(now))

    def due(self) -> float:
        """Return when the first of them wants its `tick`."""
        return min(twin.due() for twin in self.twins)

    def power_cycle(self, now: float) -> None:
        """Interrupt the power of all."""
        for twin in self.twins:
            twin.power_cycle(now)

    def stop(self) -> None:
        """Stop all."""
        for twin in self.twins:
            twin.stop()

    def quiet(self) -> bool:
        """Tell whether all are quiet."""
        return all(twin.quiet() for twin in self.twins)

    def _all(self, ask: Callable[[SerialTwin], list[Frame]]) -> list[Frame]:
        return [frame for twin in self.twins for frame in ask(twin)]
