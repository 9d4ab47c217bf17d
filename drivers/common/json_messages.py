"""JSON messages: parsed within bounds, what is nearly JSON mended, searched by path. Shared by the MQTT drivers."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

import orjson

from gateway.contract import Command, Measurement, Reason, Reject, Remark, Uplink

MAX_MESSAGE = 256 * 1024
"""Bytes of the longest message that is parsed."""
SHOWN = 1024
"""Bytes of a refused message that are kept for inspection."""

Path = tuple[str, ...]
Decoder = TypeVar("Decoder")
Said = TypeVar("Said")
Output = Measurement | Reject | Remark | Uplink | Command


def refuse(reason: Reason, payload: bytes, detail: str) -> Reject:
    """Return a `Reject` that keeps the beginning of the message."""
    return Reject(reason, payload[:SHOWN], detail)


def of_json(
    decode: Callable[[Decoder, str, Any, bytes], Iterable[Said]],
) -> Callable[[Decoder, str, bytes], Iterable[Said | Reject | Remark]]:
    """Make a method that decodes ``topic, message, payload`` one of `gateway.contract.MessageDecoder`.

    The message is the payload, parsed; what is no JSON is refused. What had to be mended is said beside what the
    decoder yields, unless that is nothing but rejects.
    """

    @wraps(decode)
    def decode_payload(decoder: Decoder, topic: str, payload: bytes) -> Iterable[Said | Reject | Remark]:
        if len(payload) <= MAX_MESSAGE:
            try:
                message = orjson.loads(payload)
            except orjson.JSONDecodeError:
                return _decode_mended(decoder, topic, payload)
            return decode(decoder, topic, message, payload)
        return [_too_long(payload)]

    def _decode_mended(decoder: Decoder, topic: str, payload: bytes) -> Iterable[Said | Reject | Remark]:
        from drivers.common import lenient_json  # noqa: PLC0415 -- a board that hears sound JSON does not pay for it

        try:
            message, mendings = lenient_json.read(payload)
        except lenient_json.NotMended as error:
            return [refuse("noise", payload, f"not JSON: {error}")]
        said = [*decode(decoder, topic, message, payload)]
        return said if all(isinstance(one, Reject) for one in said) else [*map(_remark, mendings.items()), *said]

    return decode_payload


def parse(payload: bytes) -> Any:  # noqa: ANN401 -- JSON may hold anything
    """Parse JSON that is a part of a message, mending what is nearly JSON; return a `Reject` where it cannot be read.

    Decoders of messages use `of_json`, which says what was mended. orjson refuses NaN, infinities, numbers like
    1e999, broken UTF-8 and nesting beyond 1024 levels by itself; whole numbers beyond 64 bits become floats.
    """
    if len(payload) > MAX_MESSAGE:
        return _too_long(payload)
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        from drivers.common import lenient_json  # noqa: PLC0415 -- as above

        try:
            return lenient_json.read(payload).value
        except lenient_json.NotMended as error:
            return refuse("noise", payload, f"not JSON: {error}")


def _too_long(payload: bytes) -> Reject:
    return refuse("length", payload, f"{len(payload)} bytes, {MAX_MESSAGE} allowed")


def _remark(mending: tuple[str, str]) -> Remark:
    from drivers.common.lenient_json import NAME_TWICE  # noqa: PLC0415 -- as above

    what, where = mending
    return Remark("doubtful" if what == NAME_TWICE else "mended", what, where)


def find(message: Any, path: Path) -> Any:  # noqa: ANN401 -- JSON may hold anything
    """Return what stands at ``path``; None where there is nothing, or null."""
    for step in path:
        if type(message) is dict:
            message = message.get(step)
        elif type(message) is list and step.isdecimal() and len(step) < 7 and int(step) < len(message):
            message = message[int(step)]
        else:
            return None
    return message
