"""From a message, however it came, to the readings of a delivery: the driver, the codecs and the intake in turn."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from gateway.contract import Codec, Command, Measurement, MessageDecoder, Options, Reject, Remark, Uplink
from gateway.health import SourceHealth
from gateway.ingest.delivery import Delivery
from gateway.ingest.intake import Intake, Origin
from gateway.refused import MAX_RAW, MAX_WORDS, Refusal, digest
from gateway.sources.compression import Compression, unpack
from gateway.sources.uplinks import measurements_of

BEGINNING = 4096
"""Bytes that are kept of a message that is too long to be read."""

NOTHING = "the driver makes nothing of it"
"""What is said of a message of which its driver says nothing itself."""


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

    @property
    def source(self) -> str:
        """The source whose messages it reads."""
        return self._origin.source

    def read(self, topic: str, payload: bytes, delivery: Delivery, *, retained: bool = False) -> list[Command]:
        """Add what a message says to its delivery, and the message itself where it became no reading, or not all.

        Return what its driver wants sent.
        """
        commands: list[Command] = []
        plain = self._compression is None and len(payload) <= self._max_message
        content = payload if plain else self._unpack(payload)
        if isinstance(content, Reject):
            self._keep(topic, payload, [content], delivery, retained=retained)
            return commands
        rest: list[Reject | Remark] = []
        measured = False
        for result in self._decoder.decode(topic, content):
            if isinstance(result, Measurement):
                measured = True
                refused = self._intake.accept(result, self._origin, delivery, retained=retained)
                if refused is not None:
                    rest.append(refused)
            elif isinstance(result, Uplink):
                for inner in measurements_of(result, self._codecs(result.sensor)):
                    measured |= self._accept(inner, delivery, rest, retained=retained)
            elif isinstance(result, Command):
                commands.append(result)
            else:
                rest.append(result)
        if rest:
            self._conclude(topic, payload, rest, delivery, measured=measured, retained=retained)
        elif not measured:
            self._note_silence(topic, payload, delivery, asked=bool(commands), retained=retained)
        return commands

    def _note_silence(self, topic: str, payload: bytes, delivery: Delivery, *, asked: bool, retained: bool) -> None:
        """Keep a message of which the driver says nothing; one that only has a device asked is counted."""
        if asked:
            self._health.empty += 1
        else:
            self._keep(topic, payload, [Reject("unsupported", b"", NOTHING)], delivery, retained=retained)

    def _unpack(self, payload: bytes) -> bytes | Reject:
        if len(payload) > self._max_message:
            return Reject("length", payload, f"{len(payload)} bytes, and at most {self._max_message} are read")
        return payload if self._compression is None else unpack(payload, self._compression, self._max_message)

    def refuse(self, topic: str, payload: bytes, words: str, delivery: Delivery) -> None:
        """Keep a message that is not to be read, with the words why."""
        self._keep(topic, payload, [Reject("unsupported", payload, words)], delivery, retained=False)

    def _accept(
        self,
        result: Measurement | Reject | Remark,
        delivery: Delivery,
        rest: list[Reject | Remark],
        *,
        retained: bool,
    ) -> bool:
        """Take a measurement, and tell whether it was one; what is none, or became no reading, goes to the rest."""
        if not isinstance(result, Measurement):
            rest.append(result)
            return False
        refused = self._intake.accept(result, self._origin, delivery, retained=retained)
        if refused is not None:
            rest.append(refused)
        return True

    def _conclude(
        self,
        topic: str,
        payload: bytes,
        rest: list[Reject | Remark],
        delivery: Delivery,
        *,
        measured: bool,
        retained: bool,
    ) -> None:
        """Tell of the remarks, and have the message kept where something of it was refused, or nothing was read."""
        remarks = [one for one in rest if isinstance(one, Remark)]
        rejects = [one for one in rest if isinstance(one, Reject)]
        for remark in remarks:
            self._health.remarked(remark, topic)
        if not measured and all(isinstance(one, Remark) and one.kind == "empty" for one in rest):
            self._health.empty += 1
        elif not measured and not rejects:
            rejects = [Reject("unsupported", b"", "; ".join(f"{one.kind}: {one.what}" for one in remarks))]
        if rejects:
            self._keep(topic, payload, rejects, delivery, retained=retained)

    def _keep(self, topic: str, payload: bytes, rejects: list[Reject], delivery: Delivery, *, retained: bool) -> None:
        """Have the message kept with what its decoder said of it; each reject is counted and told by itself."""
        if self._compression is None:
            from gateway.sources.recognition import explain_refusal  # noqa: PLC0415 -- only what is refused needs it

            rejects = [explain_refusal(reject, payload, self._driver) for reject in rejects]
        time = self._intake.arrival()
        refusal = refusal_of(self.source, topic, payload, rejects, delivery, time=time, retained=retained)
        if len(payload) > self._max_message:
            # It will never be decoded as it is: its beginning is enough to know it by.
            refusal = replace(refusal, raw=refusal.raw[:BEGINNING])
        delivery.refuse(refusal)
        if delivery.arrival is not None:
            return
        self._health.refused += 1
        for reject in rejects:
            self._health.rejected(reject if reject.raw else reject._replace(raw=payload), topic)


def refusal_of(
    source: str,
    topic: str,
    payload: bytes,
    rejects: Sequence[Reject],
    delivery: Delivery,
    *,
    time: tuple[int, bytes | None],
    retained: bool = False,
    device: str = "",
) -> Refusal:
    """Return what is kept of a message, or of a frame, that came at ``time``: see `Intake.arrival`."""
    words = "; ".join(dict.fromkeys(reject.detail for reject in rejects if reject.detail))
    given = {digest(line, own_time=own) for _, _, line in delivery.lines for own in (True, False)}
    return Refusal(
        source,
        topic,
        time[0],
        payload[:MAX_RAW],
        rejects[0].reason,
        words[:MAX_WORDS],
        time[1],
        device=device,
        size=len(payload),
        identity=delivery.identity,
        digests=tuple(sorted(given)),
        retained=retained,
    )
