"""What mutation testing does to a source, and what it says of a sample."""

from scripts.assurance.mutants import mutants
from scripts.assurance.mutate import interval

SOURCE = """
contract Till {
    /// @dev Never a + b, nor 7.
    uint256 private constant LEAST = 7;

    function _take(uint256 a) private nonReentrant {
        require(a > LEAST, "a + b"); // 1 + 1
        total = a + 1;
    }
}
"""


def test_what_is_no_code_is_left_alone():
    for mutant in mutants("Till.sol", SOURCE):
        changed = mutant.apply(SOURCE)
        for same in ("Never a + b, nor 7.", '"a + b"', "1 + 1"):
            assert same in changed


def test_a_mutant_differs_in_one_line_and_knows_its_function():
    for mutant in mutants("Till.sol", SOURCE):
        lines = zip(SOURCE.splitlines(), mutant.apply(SOURCE).splitlines(), strict=True)
        assert sum(old != new for old, new in lines) == 1
        assert mutant.function == ("" if "LEAST =" in mutant.diff else "take")


def test_operators_numbers_conditions_statements_and_locks_are_mutated():
    found = {mutant.diff.splitlines()[-1] for mutant in mutants("Till.sol", SOURCE)}
    assert found >= {
        "+ uint256 private constant LEAST = 8;",
        "+ function _take(uint256 a) private {",
        '+ require(a >= LEAST, "a + b"); // 1 + 1',
        '+ require(a < LEAST, "a + b"); // 1 + 1',
        "+ total = a - 1;",
        "+ total = a + 2;",
        "+ ",
    }


def test_keys_tell_mutants_apart():
    made = list(mutants("Till.sol", SOURCE))
    assert len({mutant.key for mutant in made}) == len(made)


def test_a_share_comes_with_its_uncertainty():
    assert interval(90, 100) == (0.826, 0.945)
    assert interval(5, 5) == (0.566, 1.0)
