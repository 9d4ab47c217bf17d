"""Every situation from the field is claimed by exactly one test, which is there and has it among its trials."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.support.message_cases import CLAIMS, FOLDER, inputs
from tests.system import test_json_messages, test_payloads, test_series_from_the_field

ROOT = Path(__file__).parents[2]

needs_cases = pytest.mark.skipif(not FOLDER, reason="PREHOD_CASES names no folder of cases")


def claimed() -> Counter[str]:
    return Counter(name for names in CLAIMS.values() for name in names.split())


def functions_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_that_claims_a_case_is_there() -> None:
    missing = [test for test in CLAIMS if test.partition("::")[2] not in functions_of(test.partition("::")[0])]
    assert not missing, missing


def test_no_case_is_claimed_twice() -> None:
    assert [name for name, count in claimed().items() if count > 1] == []


@needs_cases
def test_every_case_is_claimed_and_no_other() -> None:
    assert claimed().keys() ^ inputs().keys() == set()


@needs_cases
def test_a_table_of_trials_has_what_is_claimed_for_it() -> None:
    trials = {
        "test_json_messages": {name[:3] for name in test_json_messages.CASES},
        "test_payloads": {trial.name[:3] for trial in test_payloads.from_the_field()},
        "test_series_from_the_field": {
            trial.name[:3]
            for trial in (*test_series_from_the_field.own(), *test_series_from_the_field.from_the_field())
        },
    }
    offenders = []
    for module, names in trials.items():
        (table,) = (test for test in CLAIMS if f"/{module}.py::" in test and CLAIMS[test].count(" ") > 1)
        if missing := set(CLAIMS[table].split()) - names:
            offenders.append(f"{module}: {sorted(missing)}")
    assert not offenders, offenders
