"""Which of many drivers understands a line: each is fed the same bytes, and what it makes of them is its evidence.

A driver gives a *reading*, finds a *sound* frame that holds none (a sensor that starts, a refusal), or complains. A
reading is strong evidence, because no driver takes another's frames for its own; a sound frame is weak, because a
sum of eight bits is right once in 256 times, and every Modbus device refuses in the same words.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import ValidationError

from gateway.cli.driver_sheets.options import choices, eager, examples, generic, toml
from gateway.contract import Driver, FieldValue, Measurement, Quality, Reject, SerialLink

SOUND = ("range", "unsupported")
ENOUGH = 3
"""Readings after which a device that talks by itself is known."""
EXTRA_ADDRESSES = (1, 2, 3, 4)
"""Tried besides the one as delivered: installers count from 1."""


class Setting(NamedTuple):
    """How a line is set up; 0 baud where that cannot be changed, as through a serial server."""

    baudrate: int
    parity: str = "N"
    stopbits: int = 1

    def __str__(self) -> str:
        return f"{self.baudrate} 8{self.parity}{self.stopbits}" if self.baudrate else "as set up"

    @property
    def keys(self) -> dict[str, object]:
        """What the configuration has to say of it, where it says everything."""
        return self._asdict() if self.baudrate else {}


@dataclass(slots=True)
class Candidate:
    """One driver, and what speaks for it.

    ``address``  where it has one
    ``asked``    it was it that asked
    ``options``  set apart from the defaults, where those made no sense
    """

    driver: Driver
    address: int | None = None
    asked: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    readings: int = 0
    unproven: int = 0
    """Readings of lines that others print as well."""
    sound: int = 0
    complaints: Counter[str] = field(default_factory=Counter)
    kind: str = ""
    fields: dict[str, FieldValue] = field(default_factory=dict)
    quality: Quality = Quality.GOOD
    why_not: str = ""
    """Why its last sound frame held no reading."""
    decoder: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin with a new decoder; the evidence stays."""
        given = {**self.options, **({} if self.address is None else {"address": self.address})}
        self.decoder = self.driver.decoder(eager(self.driver.options, given))

    @property
    def name(self) -> str:
        """Its driver's name, with the options that are set."""
        return " with ".join((self.driver.name, *(f"{name} = {toml(value)}" for name, value in self.options.items())))

    @property
    def link(self) -> SerialLink:
        """Its line."""
        assert isinstance(self.driver.link, SerialLink)
        return self.driver.link

    @property
    def generic(self) -> bool:
        """Whether the driver means nothing by itself: a configuration has to say what is where."""
        return generic(self.driver.options)

    @property
    def speaks(self) -> bool:
        """Whether the gateway would send anything to such a device."""
        fresh = Candidate(self.driver, self.address)
        return bool(list(fresh.decoder.start()) or fresh.decoder.poll())

    def feed(self, data: bytes, now: int) -> bool:
        """Take the next bytes; tell whether the decoder made sense of something."""
        return self._take(self.decoder.feed(data, now))

    def close(self) -> bool:
        """Take what the decoder still holds; to sum up what made no sense is no reading."""
        last = list(self.decoder.finish())
        sums_up = not self.readings and self.complaints
        return self._take(one for one in last if not (sums_up and isinstance(one, Measurement)))

    @property
    def _proven(self) -> bool:
        return bool(getattr(self.decoder, "proven", True))

    def _take(self, results: Iterable[Measurement | Reject]) -> bool:
        before = self.readings + self.sound
        for one in results:
            if isinstance(one, Measurement) and not self._proven:
                self.unproven += 1
            elif isinstance(one, Measurement):
                self.readings += 1
                self.kind = one.kind
                self.quality = one.quality
                self.fields.update(one.fields)
            elif one.reason in SOUND and self._proven:
                self.sound += 1
                self.why_not = one.detail
            else:
                self.complaints[one.reason] += 1
        return self.readings + self.sound > before


def fit_to_probe(driver: Driver) -> bool:
    """Tell whether it is for a serial line, and can be tried without a configuration."""
    if not isinstance(driver.link, SerialLink):
        return False
    try:
        eager(driver.options, {})
    except ValidationError:  # something has to be set, and it gives no example
        return False
    return True


def variants(driver: Driver) -> Iterator[Mapping[str, Any]]:
    """Yield options that stand for another model or manner of the same device: those with a choice of words."""
    for option in driver.options.model_fields:
        for value in choices(driver.options, option):
            with suppress(ValidationError):  # some need a second one beside them
                eager(driver.options, {option: value})
                yield {option: value}


def replay(drivers: Iterable[Driver], heard: bytes, like: Candidate | None = None) -> list[Candidate]:
    """Return which variants of these drivers give readings for what was heard; ``like`` is the one that asked."""
    address, asked = (like.address, True) if like else (None, False)
    found = [Candidate(driver, address, asked, options) for driver in drivers for options in variants(driver)]
    for one in found:
        one.feed(heard, 0)
        one.close()
    return [one for one in found if one.readings >= (1 if asked else ENOUGH)]


def settings(drivers: Iterable[Driver]) -> list[Setting]:
    """Return the settings of these drivers' lines, the most common first."""
    links = [driver.link for driver in drivers if isinstance(driver.link, SerialLink)]
    counted = Counter(Setting(link.baudrate, link.parity, link.stopbits) for link in links)
    return [setting for setting, _ in counted.most_common()]


def addresses(driver: Driver) -> list[int | None]:
    """Return where to ask for a device: as delivered first; [None] for one that has no address, or needs none."""
    known = driver.options.model_fields.get("address")
    if known is None or not isinstance(driver.link, SerialLink) or not driver.link.bus:
        return [None]
    first = examples(driver.options).get("address", known.default)
    return [None] if first is None else list(dict.fromkeys((first, *EXTRA_ADDRESSES)))


def ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return those who may be right, the likeliest first; what follows the first claims no less than half as much.

    Who complains more than twice as often as it understands is not right. Who gives readings comes before who finds
    sound frames alone; who asked and got its answer, before who overheard that. Among those who only listened, a
    device that talks by itself comes before one that would have had to be asked. A refusal proves the protocol and
    not the device, so there the generic driver is the honest answer.
    """
    giving = [one for one in candidates if one.readings and 2 * one.readings >= one.complaints.total()]
    if giving:
        most = max(one.readings for one in giving)
        close = [one for one in giving if 2 * one.readings >= most or one.asked]
        return sorted(close, key=_order)
    speaking = [
        one
        for one in candidates
        if one.sound >= (1 if one.asked else ENOUGH) and 2 * one.sound >= one.complaints.total()
    ]
    return sorted(speaking, key=lambda one: (not one.generic, *_order(one)))


def _order(one: Candidate) -> tuple[object, ...]:
    return (
        not one.asked,
        one.generic,
        len(one.options),
        bool(one.link.harmless),
        one.complaints.total(),
        -one.readings,
        -len(one.fields),
        one.driver.experimental,
        one.driver.name,
    )
