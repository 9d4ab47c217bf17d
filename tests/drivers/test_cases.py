"""What the drivers read in frames and messages from the field: every line of ``devices.jsonl``.

The folder is the one that PREHOD_CASES names; `tests.support.device_cases` says what a line is and what it expects.
"""

from collections.abc import Mapping
from typing import Any

import drivers
from gateway.contract import Codec, Command, SerialLink, Uplink
from gateway.sources.uplinks import measurements_of
from tests.support.device_cases import (
    Heard,
    differences,
    messages_of,
    needs_cases,
    options_of,
    payload_of,
    read_cases,
)

pytestmark = needs_cases


def _codec(name: str, options: Mapping[str, object]) -> tuple[Codec, Any]:
    codec = drivers.load_codec(name)
    return codec, codec.options.model_validate(options)


def _hear(case: Mapping[str, Any]) -> Heard:
    heard, meta, options = Heard(case["device"]), case.get("meta", {}), options_of(case)
    if case["driver"] in drivers.codec_names():
        codec, chosen = _codec(case["driver"], options)
        heard.add(codec.decode(meta.get("f_port") or 0, payload_of(case), chosen))
        return heard
    driver = drivers.load(case["driver"])
    decoder: Any = driver.decoder(driver.options.model_validate(options))
    if isinstance(driver.link, SerialLink):
        heard.add(decoder.feed(payload_of(case), 0))
        heard.add(decoder.finish())
        return heard
    for topic, payload in messages_of(case):
        for one in decoder.decode(topic, payload):
            if isinstance(one, Uplink):
                named = meta.get("codec", "-")
                heard.add(measurements_of(one, None if named == "-" else _codec(named, {})))
            elif not isinstance(one, Command):
                heard.add([one])
    return heard


def test_every_case_of_a_device_is_read_as_it_expects() -> None:
    cases = read_cases()
    assert cases
    offenders = [
        f"{number} {case['device']} ({case['driver']}): {difference}"
        for number, case in enumerate(cases, 1)
        for difference in differences(case, _hear(case))
    ]
    assert not offenders, "\n".join(offenders)
