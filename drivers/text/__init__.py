"""Lines of text: comma-separated values, names with values, fixed columns, and what a small pattern describes.

One of four options says how a line is read; a name with a colon says the unit that the text is in::

    21.50,55.30              columns = ["temperature", "relative_humidity:%"]
    A003,x,C1,026.9          columns = ["sensor", "", "", "temperature"]; "" is passed over, "..." is any more
    T=21.5 H=55              pattern = "T={temperature} H={relative_humidity:%}"
    t=21.5&h=55              pairs = true, fields = { temperature = "t" }
    0215 055                 columns = ["pm25", "pm10"], widths = [5, 3]

Worked: ``21.50,55.30`` by the first of these is 21.5 degrees and a humidity of 0.553.

A column, or a place of a pattern, is a field of the vocabulary, ``sensor``, ``time``, "" for what means nothing, or
a name that ``fields`` takes up. A line with another number of columns is refused: they may be anybody's. A comma
separates columns, or a semicolon where ``decimal = ","``; as ``separator``, a space stands for any white space.
Between pairs may be white space, ``;``, ``&``, ``|`` or a comma, and within them ``=``, else ``:``.

A message may have several records: a line each, or between what ``records`` says; with ``records = ""`` the whole
message is one. Lines that begin with ``ignore`` and empty ones say nothing. A checksum at the end of a line is
verified, or passed over, as ``checksum`` says. XML is read by a pattern only.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from drivers.common.described import DescribedOptions, DescribedReader
from drivers.common.field_sources import Sources
from drivers.common.json_messages import MAX_MESSAGE, Output, refuse
from drivers.common.records import name_of, text_of, with_named_fields
from drivers.text import checksums
from drivers.text.parsing import REST, Parse, by_columns, by_pairs, by_pattern, by_widths, names_in
from gateway.contract import DEVICE_KINDS, VOCABULARY, Driver, MqttLink, Reject, Remark, SerialLink

MOST_RECORDS = 10_000


class TextOptions(DescribedOptions):
    """How a line is read; one of ``columns``, ``pairs`` and ``pattern``."""

    fields: Sources = Field(default_factory=dict)
    """A name for each field that is called otherwise, or a table with it as ``path``, and ``unit``, ``scale`` ..."""
    columns: tuple[str, ...] = Field(
        default=(), max_length=500, examples=[["temperature", "relative_humidity:%", ""]]
    )
    """The name of each column, in order; "" for one that means nothing."""
    widths: tuple[int, ...] = ()
    """Characters of each column, where they have fixed places."""
    pairs: bool = False
    """Whether each value has its name before it."""
    pattern: str | None = None
    """The text around the values, which are names in braces."""
    separator: str | None = Field(default=None, min_length=1)
    """What stands between columns or pairs, where the usual does not."""
    assign: str | None = Field(default=None, min_length=1)
    """What stands between a name and its value."""
    decimal: Literal[".", ","] = "."
    """What stands before the fraction of a number."""
    records: str = "\n"
    """What stands between records; "" where a message is one record, whatever its lines."""
    ignore: str = "#"
    """How lines begin that say nothing."""
    checksum: checksums.Kind | None = None
    """What is at the end of each line: "xor" of all bytes, their "sum", "crc16" of Modbus; "ignore": of any kind."""
    checksum_after: str = Field(default="*", min_length=1)
    """What stands before the checksum."""

    _parse: Parse = PrivateAttr()

    @model_validator(mode="before")
    @classmethod
    def _names_are_fields(cls, data: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 -- pydantic's
        if not isinstance(data, dict):
            return data
        columns, pattern = data.get("columns"), data.get("pattern")
        if sum(map(bool, (columns, data.get("pairs"), pattern is not None))) != 1:
            raise ValueError("say how a line is read: by columns, by pairs, or by a pattern")
        said = [*columns] if isinstance(columns, list | tuple) else []
        if isinstance(pattern, str):
            by_pattern(pattern)
            said = names_in(pattern)
        names = [name_of(one) for one in said if isinstance(one, str) and one != REST]
        data = with_named_fields(data, names, info.context)
        if data.get("decimal") == "," and isinstance(data.get("fields"), dict):
            data["fields"] = {name: _with_comma(one) for name, one in data["fields"].items()}
        return data

    @model_validator(mode="after")
    def _widths_are_of_columns(self) -> "TextOptions":
        if self.widths and len(self.widths) != len(self.columns):
            raise ValueError(f"{len(self.widths)} widths for {len(self.columns)} columns")
        if min(self.widths, default=1) < 1:
            raise ValueError("a column has at least one character")
        self._parse = self._way()
        return self

    def _way(self) -> Parse:
        if self.pattern is not None:
            return by_pattern(self.pattern)
        if self.pairs:
            return by_pairs(self.separator, self.assign, self.decimal)
        names = [one if one == REST else name_of(one).name for one in self.columns]
        if self.widths:
            return by_widths(names, list(self.widths))
        return by_columns(names, self.separator or (";" if self.decimal == "," else ","))

    def parse(self, line: str) -> dict[str, str] | str:
        """Return the names and values of a line, or what is wrong with it."""
        return self._parse(line)


def _with_comma(source: Any) -> Any:  # noqa: ANN401 -- as it was given
    """Return a field's source, by which numbers have a decimal comma."""
    if isinstance(source, str):
        return {"path": source, "decimal_comma": True}
    return {"decimal_comma": True, **source} if isinstance(source, dict) else source


class Decoder:
    """Reads lines of one description."""

    def __init__(self, options: TextOptions) -> None:
        self._options = options
        self._reader = DescribedReader(options)

    def decode(self, topic: str, payload: bytes) -> Iterable[Output]:
        """See `gateway.contract.MessageDecoder`."""
        if len(payload) > MAX_MESSAGE:
            return [refuse("length", payload, f"{len(payload)} bytes, {MAX_MESSAGE} allowed")]
        found = text_of(payload)
        if found is None:
            return [refuse("noise", payload, "no text")]
        records = list(self._records(found.text))
        if len(records) > MOST_RECORDS:
            return [refuse("length", payload, f"{len(records)} records, {MOST_RECORDS} allowed")]
        if not records:
            return [Remark("empty", "comments only", found.text.strip()[:64])]
        return found.said(said for record in records for said in self._read(topic, record))

    def _records(self, text: str) -> Iterator[str]:
        options = self._options
        if options.records == "":
            yield text.strip() if options.columns == () else _one_line(text, options.separator or ",")
            return
        for line in text.splitlines():
            for record in line.split(options.records) if options.records != "\n" else (line,):
                if record.strip() and not (options.ignore and record.lstrip().startswith(options.ignore)):
                    yield record

    def _read(self, topic: str, line: str) -> Iterable[Output]:
        raw, options = line.encode(), self._options
        if options.checksum is not None:
            line, wrong = checksums.split(line, options.checksum, options.checksum_after)
            if wrong:
                return [refuse("checksum", raw, wrong)]
        record = options.parse(line)
        if isinstance(record, str):
            return [refuse("noise", raw, f"{record}{_what_it_is(line)}")]
        return [
            one._replace(detail=f"{one.detail}{_what_it_is(line)}") if isinstance(one, Reject) else one
            for one in self._reader.read(topic, record, raw)
        ]


def _one_line(text: str, separator: str) -> str:
    return separator.join(line for line in text.splitlines() if line.strip())


def _what_it_is(line: str) -> str:
    """Return what a refused line seems to be, for a person who set the wrong driver."""
    begins = line.strip()[:1]
    if begins == "<":
        return '; this is XML: no driver reads it but this one by a pattern, as pattern = "<t>{temperature}</t>"'
    return '; this looks like JSON: driver = "json"' if begins in {"{", "["} else ""


DRIVER = Driver(
    name="text",
    title="Lines of text: CSV, names with values, fixed columns",
    link=MqttLink(("sensors/#",)),
    fields=tuple(VOCABULARY.values()),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=TextOptions,
    kinds=DEVICE_KINDS,
    lines=SerialLink(9600),
)
