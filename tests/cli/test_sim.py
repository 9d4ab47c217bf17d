"""What `prehod sim` makes of its arguments; what it runs is tested with the simulations themselves."""

from pathlib import Path

import pytest

from gateway.cli.main import main

Printed = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        (("city", "--broker", "foo://x"), "'foo://x': write it as mqtt://host:port"),
        (("city", "--rate", "0"), "'0': write a number from 0.01 to 1,000"),
        (("city", "--spots", "-3"), "'-3': write a whole number from 0 to 10,000"),
        (("city", "--spots", "x"), "'x': write a whole number from 0 to 10,000"),
        (("torture", "--every", "x"), "'x': write a number from 0 to 3,600"),
        (("torture", "--seconds", "-1"), "'-1': write a number from 0.1 to 10,000,000"),
        (("torture", "--only", "disk-ful"), "no fault is called 'disk-ful'; did you mean 'disk-full'?"),
    ],
)
def test_wrong_use_is_told_with_the_fix(arguments: tuple[str, ...], fix: str, capsys: Printed) -> None:
    with pytest.raises(SystemExit) as end:
        main(["sim", *arguments])
    assert end.value.code == 2
    assert fix in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("sim", "city"), ("sim", "torture"), ("demo",)])
def test_a_directory_that_cannot_be_is_told(arguments: tuple[str, ...], tmp_path: Path, capsys: Printed) -> None:
    file = tmp_path / "file"
    file.touch()
    assert main([*arguments, "--seconds", "1", "--directory", str(file / "below")]) == 1
    assert capsys.readouterr().err == f"prehod {arguments[0]}: {file / 'below'}: Not a directory\n"
