"""Situations from the field, the lines of ``messages.jsonl`` in the folder that PREHOD_CASES names, and their tests.

Each line has an id; `CLAIMS` says which test shows that its input gives the value that it expects or is refused with
the remedy. What is not in the folder is not looked for.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

FOLDER = os.environ.get("PREHOD_CASES", "")


def inputs() -> Mapping[str, str]:
    """Return the input of each case by its id; nothing without the folder."""
    if not FOLDER:
        return {}
    lines = (Path(FOLDER) / "messages.jsonl").read_text(encoding="utf-8").splitlines()
    return {case["id"]: case["input"] for case in map(json.loads, lines)}


_JSON = "tests/system/test_json_messages.py::test_every_case_from_the_field_gives_its_values_or_is_refused"
_PAYLOADS = "tests/system/test_payloads.py::test_what_people_send_is_stored_as_they_meant_it"
_SERIES = "tests/system/test_series_from_the_field.py::"
_BROKERS = "tests/system/test_brokers_from_the_field.py::"
_DATABASES = "tests/system/test_databases_from_the_field.py::"
_LINES = "tests/system/test_lines_from_the_field.py::"

CLAIMS: Mapping[str, str] = {
    _JSON: "g08 g09 g10 g12 g14 g15 g17 g19 g20 g21 g22 g23 g24 g25 g28 g30 g35 g36 g37 g38 g39 g40 g41 g44 g46 g47"
    " g56 g57 g58 g59 g61",
    _PAYLOADS: "g02 g04 g05 g06 g07 g32 g33 g54 g97",
    f"{_SERIES}test_each_reading_is_its_devices_own_and_has_all_that_was_decoded": "g48 g49 g51 g52 g53 g85 g86 g88",
    f"{_SERIES}test_a_station_posts_to_the_gateway_itself": "g99",
    f"{_SERIES}test_the_command_says_of_a_refused_message_what_the_gateway_says": "g100",
    f"{_BROKERS}test_each_way_to_a_broker_is_heard_or_told_with_its_remedy": "g65 g66 g67 g68",
    f"{_BROKERS}test_qos_2_is_refused_with_what_may_be_written": "g69",
    f"{_BROKERS}test_a_password_keeps_its_spaces_and_its_file_may_end_in_a_newline": "g72",
    "tests/system/test_refused.py::test_a_topic_that_left_the_configuration_is_not_stored_any_more": "g70",
    "tests/system/test_refused.py::test_a_retained_message_without_a_time_is_told_with_what_to_set": "g71",
    f"{_DATABASES}test_each_way_to_a_database_leads_there": "g75 g76 g77 g79 g83",
    f"{_DATABASES}test_readings_that_a_version_refuses_are_put_aside_with_its_words": "g80 g81 g82",
    f"{_LINES}test_lines_behind_servers_are_read_as_those_of_the_board": "g89 g90 g91 g92 g93",
    # No machine has two adapters for a test; what is plugged in is said instead.
    "tests/links/test_ports.py::test_two_that_fit_are_refused_because_a_guess_would_mix_up_two_sensors": "g95",
}
"""Test -> the ids that it claims. Those of a table of trials are in the table as well."""
