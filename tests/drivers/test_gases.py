"""From ppb to ug/m3."""

import pytest

from drivers.common.gases import MOLAR_MASSES, micrograms
from gateway.contract import VOCABULARY


@pytest.mark.parametrize(
    ("gas", "factor"), [("no2", 1.9125), ("o3", 1.9953), ("so2", 2.6633), ("co", 1.1644), ("no", 1.2474)]
)
def test_the_factors_are_those_of_the_european_tables(gas: str, factor: float) -> None:
    assert micrograms(gas, 1000) / 1000 == pytest.approx(factor, abs=0.0001)


@pytest.mark.parametrize(("gas", "ppb", "limit"), [("no2", 105, 200), ("so2", 132, 350), ("so2", 47, 125)])
def test_limit_values_that_are_known_both_ways_agree(gas: str, ppb: float, limit: float) -> None:
    assert micrograms(gas, ppb) == pytest.approx(limit, rel=0.01)


def test_nox_is_stated_as_no2() -> None:
    assert micrograms("nox", 50) == micrograms("no2", 50)


def test_every_gas_is_a_field_in_micrograms() -> None:
    assert {VOCABULARY[gas].unit for gas in MOLAR_MASSES} == {"ug/m3"}
