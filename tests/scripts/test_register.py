import json
import re
from dataclasses import replace

import pytest

from relayer import bindings
from relayer.document import load_document, signatures
from relayer.errors import ConfigurationError, Reverted
from relayer.protocol.measurement import Measurement
from relayer.protocol.typed_data import Domain
from scripts import deploy, deployments, fund, register
from tests import samples
from tests.scripts.agreements import PROVIDER, consumer_account, signed_document

HOUR = 3_600


@pytest.fixture
def escrow(local, deployment):
    return bindings.Escrow(local.w3, deployment.escrow)


@pytest.fixture
def token(local, deployment):
    return bindings.Token(local.w3, deployment.token)


@pytest.fixture
def consumer(local, deployment, environment):
    """The consumer's account, with money for four windows."""
    deploy.mint(samples.wallet(2).address, "400")
    return consumer_account(local, environment)


@pytest.fixture
def terms(local, deployment):
    start = local.now() // HOUR * HOUR + 2 * HOUR
    return samples.terms(
        samples.feed(start), token=deployment.token, oracle=deployment.oracle, windows=5
    )


@pytest.fixture
def signed(local, deployment):
    """Signs terms as both parties."""
    return lambda terms: samples.signatures(Domain(local.chain_id, deployment.escrow), terms)


# register


def test_an_agreement_is_opened_and_its_windows_paid(escrow, token, terms, signed, consumer):
    agreement_id = register.register_terms(terms, *signed(terms), consumer)
    assert escrow.status(agreement_id) == "open"
    assert agreement_id == escrow.agreement_id(terms)
    assert [escrow.window(agreement_id, w)[0] for w in (0, 1)] == ["funded", "unfunded"]
    assert escrow.held(token.address) == samples.FEE
    assert token.balance(consumer.address) == 3 * samples.FEE
    assert token.allowance(consumer.address, escrow.address) == 0


def test_anyone_may_bring_the_signatures(escrow, token, terms, signed, consumer, account):
    assert account.address not in (terms.provider, terms.consumer)
    deploy.mint(account.address, "100")
    agreement_id = register.register_terms(terms, *signed(terms), account)
    assert escrow.status(agreement_id) == "open"
    assert token.balance(account.address) == 0
    assert token.balance(consumer.address) == 4 * samples.FEE


def test_nothing_is_approved_where_nothing_is_paid(local, escrow, token, terms, signed, account):
    terms = replace(terms, prepaid_windows=0)
    before = local.nonce(account.address)
    agreement_id = register.register_terms(terms, *signed(terms), account)
    assert escrow.status(agreement_id) == "open"
    assert local.nonce(account.address) == before + 1


@pytest.mark.parametrize("former", [1, samples.FEE])
def test_a_former_allowance_is_used_or_replaced(
    local, escrow, token, terms, signed, consumer, former
):
    deploy.send(local, consumer, token.approve(escrow.address, former))
    register.register_terms(terms, *signed(terms), consumer)
    assert token.allowance(consumer.address, escrow.address) == 0


def test_signatures_in_the_wrong_order_are_refused_before_anything_is_approved(
    local, escrow, token, terms, signed, consumer
):
    provider_signature, consumer_signature = signed(terms)
    before = local.nonce(consumer.address)
    with pytest.raises(Reverted) as refusal:
        register.register_terms(terms, consumer_signature, provider_signature, consumer)
    assert refusal.value.error == "PartySignatures_Invalid"
    assert "sign this very document" in refusal.value.hint
    assert local.nonce(consumer.address) == before
    assert token.allowance(consumer.address, escrow.address) == 0


def test_a_signature_that_was_withdrawn_is_refused_before_anything_is_approved(
    local, escrow, terms, signed, consumer
):
    deploy.send(local, consumer, escrow.revoke(escrow.agreement_id(terms)))
    before = local.nonce(consumer.address)
    with pytest.raises(Reverted) as refusal:
        register.register_terms(terms, *signed(terms), consumer)
    assert refusal.value.error == "PartySignatures_Revoked"
    assert refusal.value.values["party"] == consumer.address
    assert "another salt" in refusal.value.hint
    assert local.nonce(consumer.address) == before


def test_rules_that_only_the_contract_checks_are_refused_before_anything_is_approved(
    local, escrow, terms, signed, consumer, monkeypatch
):
    """The refusal of the contract of rules comes through the escrow with its name."""
    monkeypatch.setattr(type(terms), "problem", lambda _: None)
    monkeypatch.setattr(Measurement, "problem", lambda _: None)
    level = terms.levels[0]
    measurement = replace(level.feed.measurement, deadline=1)
    wrong = replace(
        terms, levels=(replace(level, feed=replace(level.feed, measurement=measurement)),)
    )
    before = local.nonce(consumer.address)
    with pytest.raises(Reverted) as refusal:
        register.register_terms(wrong, *signed(wrong), consumer)
    assert refusal.value.error == "Measurement_Deadline"
    assert local.nonce(consumer.address) == before


def test_a_short_first_window_costs_its_share(escrow, token, terms, signed, consumer):
    level = terms.levels[0]
    measurement = replace(level.feed.measurement, offset=45)
    short = replace(
        terms,
        prepaid_windows=2,
        levels=(replace(level, feed=replace(level.feed, measurement=measurement)),),
    )
    register.register_terms(short, *signed(short), consumer)
    assert escrow.held(token.address) == samples.FEE // 4 + samples.FEE
    fund.fund_terms(short, 2, 1, consumer)
    assert escrow.held(token.address) == samples.FEE // 4 + 2 * samples.FEE
    assert token.allowance(consumer.address, escrow.address) == 0


def test_the_same_agreement_is_not_opened_twice(terms, signed, consumer):
    register.register_terms(terms, *signed(terms), consumer)
    with pytest.raises(Reverted) as refusal:
        register.register_terms(terms, *signed(terms), consumer)
    assert refusal.value.error == "SLAEscrow_IdUsed"
    assert "salt" in refusal.value.hint


def test_an_agreement_whose_time_to_open_has_passed_is_refused(terms, signed, consumer, local):
    late = replace(terms, open_by=local.now() - 1)
    with pytest.raises(Reverted) as refusal:
        register.register_terms(late, *signed(late), consumer)
    assert refusal.value.error == "SLAEscrow_TooLateToOpen"
    assert refusal.value.hint


def test_who_cannot_pay_is_told_how_much(local, token, escrow, terms, signed, consumer):
    terms = replace(terms, prepaid_windows=5)
    before = local.nonce(consumer.address)
    with pytest.raises(
        ConfigurationError, match=r"has 400\.00 tUSD, but pays 500\.00 tUSD"
    ) as error:
        register.register_terms(terms, *signed(terms), consumer)
    assert "mint" in error.value.hint
    assert local.nonce(consumer.address) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"oracle": samples.wallet(9).address}, "names the oracle"),
        ({"token": samples.wallet(9).address}, "no token at"),
        ({"credit_cap": 0}, "the credit cap"),
        ({"consumer": PROVIDER}, "two accounts"),
    ],
)
def test_terms_that_do_not_belong_here_are_refused(terms, signed, consumer, changes, message):
    wrong = replace(terms, **changes)
    with pytest.raises(ConfigurationError, match=message):
        register.register_terms(wrong, *signed(wrong), consumer)


def test_nothing_is_opened_where_nothing_is_deployed(local, terms, signed, consumer):
    deployments.path(local.chain_id).unlink()
    with pytest.raises(ConfigurationError, match="no SLAEscrow is recorded"):
        register.register_terms(terms, *signed(terms), consumer)


@pytest.mark.parametrize("name", ["escrow", "oracle"])
def test_a_recorded_contract_without_its_code_is_refused(
    local, deployment, terms, signed, consumer, name
):
    local.w3.provider.make_request("anvil_setCode", [getattr(deployment, name), "0x6000"])
    with pytest.raises(ConfigurationError, match=r"no \w+ of this version"):
        register.register_terms(terms, *signed(terms), consumer)


def test_a_chain_that_was_reset_is_told_before_anything_else_is_missed(
    local, deployment, document, consumer
):
    for address in (deployment.escrow, deployment.oracle, deployment.token):
        local.w3.provider.make_request("anvil_setCode", [address, "0x"])
    with pytest.raises(ConfigurationError, match="no SLAEscrow of this version") as refused:
        register.register(document, consumer)
    assert "was reset" in (refused.value.hint or "")


# fund


def test_further_windows_are_paid(escrow, token, terms, signed, consumer):
    agreement_id = register.register_terms(terms, *signed(terms), consumer)
    fund.fund_terms(terms, 2, 2, consumer)
    statuses = [escrow.window(agreement_id, w)[0] for w in range(5)]
    assert statuses == ["funded", "unfunded", "funded", "funded", "unfunded"]
    assert token.balance(consumer.address) == samples.FEE
    assert token.allowance(consumer.address, escrow.address) == 0


@pytest.mark.parametrize(
    ("first", "count", "error"),
    [
        (0, 1, "SLAEscrow_WindowNot"),
        (1, 5, "SLAEscrow_NoWindows"),
        (5, 1, "SLAEscrow_NoWindows"),
        (1, 0, "SLAEscrow_NoWindows"),
    ],
)
def test_windows_that_cannot_be_paid_are_refused(
    terms, signed, consumer, local, first, count, error
):
    register.register_terms(terms, *signed(terms), consumer)
    before = local.nonce(consumer.address)
    with pytest.raises(Reverted) as refusal:
        fund.fund_terms(terms, first, count, consumer)
    assert refusal.value.error == error
    assert refusal.value.hint
    assert local.nonce(consumer.address) == before


def test_an_agreement_that_is_not_open_is_not_paid_for(terms, consumer):
    with pytest.raises(Reverted) as refusal:
        fund.fund_terms(terms, 1, 1, consumer)
    assert refusal.value.error == "SLAEscrow_NotOpen"
    assert "register" in refusal.value.hint


# documents


@pytest.fixture
def document(local, deployment, tmp_path):
    return signed_document(tmp_path / "agreement.yaml", local, deployment)


def test_a_document_is_registered_and_funded(escrow, document, consumer):
    agreement_id = register.register(document, consumer)
    assert agreement_id == document.agreement_id
    fund.fund(document, 1, 1, consumer)
    assert [escrow.window(agreement_id, w)[0] for w in range(3)] == ["funded", "funded", "unfunded"]


def test_a_document_without_all_signatures_is_refused(document, consumer):
    file = signatures.path_of(document)
    content = json.loads(file.read_text())
    del content["signatures"]["consumer"]
    file.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match="the consumer has not signed"):
        register.register(document, consumer)


@pytest.mark.parametrize(
    ("pattern", "instead", "message"),
    [
        (r"chainId: \d+", "chainId: 11155111", "is for chain 11155111, and this is chain 31337"),
        (r"escrow: .*", f'escrow: "{samples.wallet(9).address}"', "names the escrow"),
        (r"oracle: .*", f'oracle: "{samples.wallet(9).address}"', "names the oracle"),
        (r"token: .*", f'token: "{samples.wallet(9).address}"', "no token at"),
        (r"decimals: 6", "decimals: 18", "18 decimals; it has 6"),
    ],
)
def test_a_document_for_elsewhere_is_refused(document, consumer, pattern, instead, message):
    text, count = re.subn(pattern, instead, document.path.read_text())
    assert count == 1
    document.path.write_text(text)
    changed = load_document(document.path, adapters=False)
    with pytest.raises(ConfigurationError, match=message):
        register.register(changed, consumer)
    with pytest.raises(ConfigurationError, match=message):
        fund.fund(changed, 1, 1, consumer)


# entry points


def test_the_entry_points_show_what_they_do(document, escrow, consumer, capsys):
    register.main(str(document.path))
    shown = capsys.readouterr().out
    terms = document.terms
    for word in (
        document.name, document.agreement_id.hex(), terms.provider, terms.consumer, terms.oracle,
        terms.token, escrow.address, "(the test dollar)", "100.00 tUSD", "pays now", "is open",
    ):  # fmt: skip
        assert word in shown
    fund.main(str(document.path), "1", "2")
    assert "200.00 tUSD for 2 window(s)" in capsys.readouterr().out
    assert escrow.window(document.agreement_id, 2)[0] == "funded"


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda path: register.main("/nowhere.yaml"), "/nowhere.yaml"),
        (lambda path: fund.main(path, "-1", "1"), "name the first window"),
        (lambda path: fund.main(path, "1", "0"), "name the first window"),
        (lambda path: fund.main(path, "1", "1"), "open the agreement first"),
    ],
)
@pytest.mark.usefixtures("consumer")
def test_an_entry_point_that_gives_up_says_why_in_a_line_or_two(document, run, message, capsys):
    with pytest.raises(SystemExit) as ended:
        run(str(document.path))
    error = capsys.readouterr().err
    assert ended.value.code not in (0, None)
    assert message in error
    assert "Traceback" not in error
