"""Every fuzz target takes its own seeds and their ruins; atheris is not needed for that."""

from random import Random

import pytest

from tests.fuzz.targets import targets

TARGETS = targets()


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_its_seeds_and_what_is_left_of_them(name: str) -> None:
    target, random = TARGETS[name](), Random(name)  # noqa: S311 -- the same bytes each time
    assert target.seeds, "a fuzzer without a seed finds the header of a frame in a year"
    for seed in target.seeds:
        target.run(seed)
        for _ in range(20):
            at = random.randrange(len(seed) + 1)
            target.run(seed[:at])
            target.run(seed[:at] + random.randbytes(random.randrange(8)) + seed[at + 1 :])
    for _ in range(50):
        target.run(random.randbytes(random.randrange(200)))
