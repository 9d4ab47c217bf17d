"""What may be set for one field of a message: where it stands, and how it is read."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from drivers.common.text_values import Word
from gateway.contract import Options


class Source(Options):
    """Where one field comes from, and how it is read.

    ``path``           where it stands in the message
    ``scale``          the field is ``number * scale + offset``, for fields with a fraction
    ``offset``         see scale
    ``unit``           the unit of the message's numbers: "%", "\u00b0F", "kPa", "mV"; converted to the vocabulary's
    ``equals``         the one word or number for yes; the usual contrary of it is no
    ``true_values``    the words or numbers for yes
    ``false_values``   those for no
    ``values``         words of the message, and the value that each of them means
    ``no_value``       words or numbers that mean no value: ``[-127, 85, "err"]``
    ``decimal_comma``  numbers in quotes have a decimal comma
    ``thousands``      what stands between thousands in them
    ``optional``       the message may lack it, and nothing is said then
    """

    path: str
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    equals: bool | int | str | None = None
    true_values: tuple[Word, ...] = ()
    false_values: tuple[Word, ...] = ()
    values: dict[str, Word] = Field(default_factory=dict)
    no_value: tuple[Word, ...] = ()
    decimal_comma: bool = False
    thousands: Literal["", ".", ",", " ", "'", "\u2019"] = ""
    optional: bool = False

    @model_validator(mode="after")
    def _no_contradiction(self) -> "Source":
        if self.thousands == "," and self.decimal_comma:
            raise ValueError("a comma cannot stand before decimals and between thousands")
        if self.equals is not None and self.true_values:
            raise ValueError("equals and true_values say the same: keep true_values")
        return self


Sources = dict[
    str, Annotated[Source, BeforeValidator(lambda said: {"path": said} if isinstance(said, str) else said)]
]
"""Fields by their names: a path, or a table with it."""
