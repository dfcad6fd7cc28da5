"""Templates pay what the vendors' formulas pay, case by case. The same cases on chain: test_on_chain.py."""

import pytest

from relayer.protocol.tally import count
from relayer.simulation import Past, run
from relayer.templates import templates
from tests.relayer.templates import agreements
from tests.relayer.templates.golden_minutes import MINUTES
from tests.relayer.templates.golden_rates import RATES

CASES = [
    (name, case) for table in (MINUTES, RATES) for name, cases in table.items() for case in cases
]
OTHERWISE = {"aws-ec2-instance-hour", "http-service"}
"""Not by the month, or nobody's terms; see the traps."""


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """An agreement of one month of so many days."""
    folder = tmp_path_factory.mktemp("templates")
    made = {}

    def of(name, days):
        if (name, days) not in made:
            start = agreements.MONTH_OF[days]
            made[name, days] = agreements.document_of(name, folder, month=start, windows=1)
        return made[name, days]

    return of


def test_every_template_has_golden_cases():
    assert {template.name for template in templates()} - OTHERWISE == MINUTES.keys() | RATES.keys()


@pytest.mark.parametrize("name", [*MINUTES, *RATES])
def test_every_template_is_tried_in_short_middle_and_long_months_and_at_each_credit(name):
    cases = (MINUTES | RATES)[name]
    template = next(one for one in templates() if one.name == name)
    assert {case.days for case in cases} == {28, 30, 31}
    paid = {f"{case.credit}%" for case in cases} - {"0%"}
    assert paid == {tier["credit"] for tier in template.tiers}


@pytest.mark.parametrize(
    ("name", "case"),
    CASES,
    ids=lambda part: "-".join(map(str, part)) if isinstance(part, tuple) else part,
)
def test_the_simulation_pays_what_the_vendor_s_formula_pays(month, name, case):
    agreement = month(name, case.days)
    codes = agreements.codes_of(case, agreement)
    [window] = run(agreement.terms, [Past(0, codes)]).windows
    assert window.end - window.start == case.days * 86_400
    assert window.credit == 100 * case.credit
    assert window.to_consumer == agreements.UNITS * case.credit // 100
    assert window.to_provider == agreements.UNITS - window.to_consumer
    assert window.complete
    level = agreement.levels[0].feed
    assert window.levels[0].tally == count(codes, level.measurement, level.scope)
