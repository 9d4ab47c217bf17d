"""Forms, ``name=value&name=value``, as stations send them in the query of a GET or the body of a POST."""

import re
from urllib.parse import parse_qsl

from drivers.common.json_messages import MAX_MESSAGE, refuse
from gateway.contract import Reject

_BEGINS = re.compile(rb"[?&]?[A-Za-z][\w.%-]*=")
MOST_NAMES = 500


def is_form(payload: bytes) -> bool:
    """Tell whether a payload begins as a form does."""
    return _BEGINS.match(payload) is not None


def parse_form(payload: bytes) -> dict[str, str] | Reject:
    """Parse a form; of several values of one name the last counts. A `Reject` says why it cannot be read."""
    if len(payload) > MAX_MESSAGE:
        return refuse("length", payload, f"{len(payload)} bytes, {MAX_MESSAGE} allowed")
    if not is_form(payload):
        return refuse("noise", payload, "no form")
    try:
        return dict(parse_qsl(payload.decode("ascii").lstrip("?&"), max_num_fields=MOST_NAMES))
    except ValueError as error:
        return refuse("noise", payload, f"no form: {error}")
