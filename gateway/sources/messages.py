"""From a message, however it came, to the readings of a delivery: the driver, the codecs and the intake in turn."""

from collections.abc import Callable

from gateway.contract import Codec, Command, Measurement, MessageDecoder, Options, Reject, Remark, Uplink
from gateway.health import SourceHealth
from gateway.ingest.delivery import Delivery
from gateway.ingest.intake import Intake, Origin
from gateway.sources.compression import Compression, unpack
from gateway.sources.recognition import explain_refusal
from gateway.sources.uplinks import measurements_of


class MessageReader:
    """Reads the messages of one source; ``codecs`` finds the codec that is configured for a device.

    A message of more than ``max_message`` bytes is refused unread; so is one that unpacks to more, where messages are
    compressed.
    """

    def __init__(
        self,
        decoder: MessageDecoder,
        origin: Origin,
        *,
        codecs: Callable[[str], tuple[Codec, Options] | None],
        max_message: int,
        intake: Intake,
        health: SourceHealth,
        compression: Compression | None = None,
        driver: str = "",
    ) -> None:
        self._decoder = decoder
        self._origin = origin
        self._codecs = codecs
        self._max_message = max_message
        self._intake = intake
        self._health = health
        self._compression = compression
        self._driver = driver

    def read(self, topic: str, payload: bytes, delivery: Delivery, *, retained: bool = False) -> list[Command]:
        """Add what a message says to its delivery; return what its driver wants sent."""
        if len(payload) > self._max_message:
            self._health.rejected(Reject("length", payload, f"{len(payload)} bytes"))
            return []
        commands: list[Command] = []
        content = unpack(payload, self._compression, self._max_message) if self._compression else payload
        if isinstance(content, Reject):
            self._accept(content, payload, delivery, retained=retained)
            return commands
        for result in self._decoder.decode(topic, content):
            if isinstance(result, Command):
                commands.append(result)
            elif isinstance(result, Uplink):
                for inner in measurements_of(result, self._codecs(result.sensor)):
                    self._accept(inner, payload, delivery, retained=retained)
            else:
                self._accept(result, payload, delivery, retained=retained)
        return commands

    def _accept(
        self, result: Measurement | Reject | Remark, payload: bytes, delivery: Delivery, *, retained: bool
    ) -> None:
        if isinstance(result, Remark):
            self._health.remarked(result)
            return
        if isinstance(result, Measurement):
            refused = self._intake.accept(result, self._origin, delivery, retained=retained)
            if refused is None:
                return
            result = refused
        if self._compression is None:
            result = explain_refusal(result, payload, self._driver)
        self._health.rejected(result if result.raw else result._replace(raw=payload))
