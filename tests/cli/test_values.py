"""What is said about a value that an option does not take."""

import pytest


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            "detect a.jpg --threshold nan",
            "'--threshold': it must be a number from 0 to 1; got 'nan'",
        ),
        ("detect a.jpg --threshold=-0.1", "it must be a number from 0 to 1; got '-0.1'."),
        ("detect a.jpg --threshold abc", "it must be a number from 0 to 1; got 'abc'."),
        ("detect a.jpg --threshold 20%", "from 0 to 1; got '20%'. Write 0.2"),
        ("detect a.jpg --threshold 0,5", "from 0 to 1; got '0,5'. Write 0.5"),
        ("detect a.jpg --port 70000", "a whole number from 0 to 65535; got '70000'."),
        ("detect a.jpg --batch -1", "'--batch': it must be a whole number of at least 0; got '-1'"),
        ("train detect --epochs 1e3", "of at least 1; got '1e3'. Write 1000"),
        ("train detect --epochs 0", "a whole number of at least 1; got '0'."),
        ("data split a --val 20%", "it must be a number; got '20%'. Write 0.2"),
        ("features a b.jpg --seed 4294967296", "from 0 to 4294967295; got '4294967296'."),
        ("train detect --device tpu", "'--device': 'tpu' is not one of 'auto', 'cpu', 'gpu'."),
        ("detect a.jpg --engine tpu", "'--engine': 'tpu' is not one of 'auto', "),
        ("evaluate a --predictions no-such-file", "path 'no-such-file' does not exist."),
    ],
)
def test_a_wrong_value_is_said_with_its_rule_and_as_received(
    cli, arguments: str, says: str
) -> None:
    code, out, err = cli(*arguments.split())
    assert (code, out) == (2, "")
    assert "Invalid value for" in err and says in err
