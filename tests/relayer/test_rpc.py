"""Endpoints that hang, fail, limit, lie, lag and lose: with two the relayer goes on, with one it says so and recovers."""

from __future__ import annotations

import random
import socket
import threading
import traceback
from contextlib import suppress

import pytest
from web3 import Web3

from relayer import rpc, rpc_agreement, rpc_endpoint
from relayer.chain import Chain, Sent
from relayer.errors import ChainUnavailable, ConfigurationError, Reverted
from relayer.operations import metrics
from relayer.operations.alerts import Alerts
from relayer.rpc import FailoverProvider
from relayer.rpc_endpoint import Endpoint
from relayer.rpc_errors import EndpointFault, Kind
from tests import samples
from tests.faults.rpc_proxy import GARBAGE, SECRET, RpcProxy, random_fault
from tests.relayer import world

RICH = samples.wallet(0)


class Clock:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def anvil_url(tmp_path_factory):
    """Of our own: blocks are mined and taken back here."""
    with world.running_chain(tmp_path_factory.mktemp("rpc")) as url:
        yield url


@pytest.fixture
def proxies(anvil_url):
    made = [RpcProxy(anvil_url) for _ in range(4)]
    yield made
    for proxy in made:
        proxy.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def alerts():
    return Alerts()


@pytest.fixture
def connect(clock, alerts):
    """A chain over some proxies, with a clock that the test turns."""

    def make(*proxies, agreement=1):
        provider = FailoverProvider([proxy.url for proxy in proxies], alerts=alerts, clock=clock)
        w3 = Web3(provider)
        return Chain(w3, w3.eth.chain_id, agreement=agreement, alerts=alerts)

    return make


@pytest.fixture
def hurry(monkeypatch):
    """Give up on an endpoint that hangs soon enough for a test."""
    monkeypatch.setattr(rpc_endpoint, "REQUEST_SECONDS", 1)
    monkeypatch.setattr(rpc, "PROBE_SECONDS", 1)


def label(proxy):
    return f"{proxy.host}/..."


def count(metric, *labels):
    return metric.labels(*labels)._value.get()


def errors(proxy, kind):
    return count(metrics.RPC_ERRORS, label(proxy), kind)


def firing(alerts):
    return {(alert.name, alert.subject) for alert in alerts.firing()}


def direct(anvil_url, method, *params):
    answer = Endpoint(anvil_url).make_request(method, list(params))
    assert "error" not in answer, answer
    return answer["result"]


def signed_payment(chain, value=1, **changes):
    transaction = {
        "type": 2,
        "chainId": chain.chain_id,
        "to": samples.wallet(90).address,
        "nonce": chain.nonce(RICH.address),
        "data": b"",
        "value": value,
        "gas": 21_000,
        "maxFeePerGas": 10**11,
        "maxPriorityFeePerGas": 10**9,
    }
    return RICH.sign_transaction(transaction | changes)


def pay(chain, value=1):
    """A payment that is mined, which happens a moment after it is accepted."""
    payment = signed_payment(chain, value)
    assert chain.broadcast(bytes(payment.raw_transaction)) is Sent.ACCEPTED
    mined(chain, payment)
    return payment


def mined(chain, payment):
    receipt = chain.w3.eth.wait_for_transaction_receipt(payment.hash, timeout=60)
    assert receipt["status"] == 1


FAULTS = {
    "hang": (lambda proxy: proxy.hang(), "timeout", "no answer"),
    "late": (lambda proxy: proxy.delay(3), "timeout", "no answer"),
    "cut": (lambda proxy: proxy.cut(), "connection", "no answer"),
    "limited": (lambda proxy: proxy.http_status(429), "rate_limited", "HTTP 429"),
    "broken": (lambda proxy: proxy.http_status(500), "http_error", "HTTP 500"),
    "away": (lambda proxy: proxy.http_status(503), "http_error", "HTTP 503"),
    "redirected": (lambda proxy: proxy.http_status(302), "http_error", "HTTP 302"),
    "limited_inside": (
        lambda proxy: proxy.error(-32005, f"request rate exceeded for {SECRET}"),
        "rate_limited",
        "request rate exceeded",
    ),
    **{
        f"garbage_{kind}": (
            lambda proxy, kind=kind: proxy.garbage(kind),
            "garbage",
            "no sensible answer",
        )
        for kind in GARBAGE
    },
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.usefixtures("hurry")
def test_with_two_endpoints_it_goes_on_through_the_other(name, proxies, connect, clock):
    break_it, kind, _ = FAULTS[name]
    bad, good, *_ = proxies
    chain = connect(bad, good)
    before = chain.head()
    used = bad.seen("eth_getBalance")
    break_it(bad)
    for _ in range(3):
        assert chain.balance(RICH.address) > 0
        assert chain.head().number >= before.number
    assert errors(bad, kind) == 1, "it rests after the first failure"
    assert count(metrics.RPC_UP, label(bad)) == 0
    assert count(metrics.RPC_UP, label(good)) == 1
    bad.clear()
    clock.now += 1.1
    checked = bad.seen("eth_chainId")
    chain.balance(RICH.address)
    assert bad.seen("eth_getBalance") == used + 1 + 1, "it is preferred again"
    assert bad.seen("eth_chainId") == checked + 1, "its chain was asked for first"
    assert count(metrics.RPC_UP, label(bad)) == 1


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.usefixtures("hurry")
def test_with_one_endpoint_the_error_is_clear_and_it_recovers(name, proxies, connect, alerts):
    break_it, kind, words = FAULTS[name]
    [bad, *_] = proxies
    chain = connect(bad)
    break_it(bad)
    with pytest.raises(ChainUnavailable, match=words) as raised:
        chain.balance(RICH.address)
    assert SECRET not in raised.value.message
    assert bad.host in raised.value.message
    assert errors(bad, kind) == 1
    assert firing(alerts) == {("rpc_all_down", "rpc")}
    bad.clear()
    assert chain.balance(RICH.address) > 0, "at once: there is nothing better to ask"
    assert firing(alerts) == set()


def test_an_endpoint_that_fails_rests_longer_each_time(proxies, connect, clock, alerts):
    bad, good, *_ = proxies
    chain = connect(bad, good)
    bad.cut()
    rests = []
    for _ in range(9):
        failed = errors(bad, "connection")
        waited = 0
        while errors(bad, "connection") == failed:
            chain.balance(RICH.address)
            clock.now += 0.5
            waited += 0.5
        rests.append(waited)
    assert rests[1:5] == [1, 2, 4, 8]
    assert rests[-1] == rpc.LONGEST_REST_SECONDS
    assert firing(alerts) == {("rpc_down", label(bad))}
    bad.clear()
    clock.now += 61
    chain.balance(RICH.address)
    assert firing(alerts) == set()


def test_one_failure_is_no_alert(proxies, connect, alerts):
    bad, good, *_ = proxies
    chain = connect(bad, good)
    bad.cut()
    chain.balance(RICH.address)
    assert firing(alerts) == set()


def test_when_all_rest_one_is_tried_rather_than_none(proxies, connect):
    first, second, *_ = proxies
    chain = connect(first, second)
    first.cut()
    second.cut()
    with pytest.raises(ChainUnavailable) as raised:
        chain.balance(RICH.address)
    assert first.host in raised.value.message
    assert second.host in raised.value.message
    first.clear()
    assert chain.balance(RICH.address) > 0


def test_a_single_failure_of_the_last_one_that_is_well_is_made_up_by_one_that_rests(
    proxies, connect
):
    first, second, *_ = proxies
    chain = connect(first, second)
    first.cut()
    chain.balance(RICH.address)
    first.clear()
    second.cut()
    assert chain.balance(RICH.address) > 0


# Answers about the call


def test_an_answer_about_the_call_is_nobodys_fault(proxies, connect):
    first, second, *_ = proxies
    chain = connect(first, second)
    with pytest.raises(Reverted), chain.errors():
        chain.w3.eth.call({"data": "0x60006000fd"})
    assert second.seen("eth_call") == 0
    assert count(metrics.RPC_UP, label(first)) == 1
    used = signed_payment(chain, nonce=0, value=7)
    pay(chain)
    assert chain.broadcast(bytes(used.raw_transaction)) is Sent.NONCE_USED
    assert count(metrics.RPC_UP, label(first)) == 1


def test_what_one_endpoint_cannot_say_another_is_asked_and_neither_rests(proxies, connect):
    first, second, *_ = proxies
    chain = connect(first, second)
    for code, message in [
        (-32601, "the method eth_getBalance does not exist/is not available"),
        (-32000, "header not found"),
        (-32603, "Internal error"),
    ]:
        first.error(code, message, "eth_getBalance")
        assert chain.balance(RICH.address) > 0
        assert count(metrics.RPC_UP, label(first)) == 1
        second.error(code, message, "eth_getBalance")
        with pytest.raises(ChainUnavailable, match=message):
            chain.balance(RICH.address)
        first.clear()
        second.clear()


def test_an_http_error_with_an_answer_inside_is_an_answer(anvil_url, proxies):
    class Odd(RpcProxy):
        def _answer(self, body):
            answer = super()._answer(body)
            answer.status = 400
            return answer

    odd = Odd(anvil_url)
    try:
        answer = Endpoint(odd.url).make_request("eth_call", [{"data": "0x60006000fd"}, "latest"])
        assert answer["error"]["message"] == "execution reverted"
        with pytest.raises(EndpointFault, match="HTTP 400"):
            Endpoint(odd.url).make_request("eth_chainId", [])
    finally:
        odd.close()


# Another chain


def test_an_endpoint_of_another_chain_is_never_used(proxies, connect, clock, alerts):
    wrong, good, *_ = proxies
    chain = connect(good, wrong)
    chain_id = chain.chain_id
    wrong.wrong_chain()
    chain = connect(good, wrong)
    good.cut()
    with pytest.raises(ChainUnavailable, match=f"serves chain 5, but chain {chain_id}"):
        chain.balance(RICH.address)
    for _ in range(3):
        clock.now += 61
        with pytest.raises(ChainUnavailable):
            chain.balance(RICH.address)
    assert wrong.seen("eth_getBalance") == 0
    assert ("rpc_wrong_chain", label(wrong)) in firing(alerts)
    wrong.clear()
    clock.now += 61
    assert chain.balance(RICH.address) > 0
    assert ("rpc_wrong_chain", label(wrong)) not in firing(alerts)


def test_an_endpoint_that_comes_back_as_another_chain_is_not_used(proxies, connect, clock):
    first, second, *_ = proxies
    chain = connect(first, second)
    first.cut()
    chain.balance(RICH.address)
    first.clear()
    first.wrong_chain()
    clock.now += 61
    seen = first.seen("eth_getBalance")
    chain.balance(RICH.address)
    assert first.seen("eth_getBalance") == seen


def test_the_first_that_answers_decides_which_chain_it_is(proxies, connect, alerts):
    first, second, *_ = proxies
    second.wrong_chain()
    chain = connect(first, second)
    assert chain.chain_id == 31_337
    chain.head()
    assert firing(alerts) == {("rpc_wrong_chain", label(second))}


# Endpoints that lag


def mine(anvil_url, blocks, seconds):
    direct(anvil_url, "anvil_mine", hex(blocks), hex(seconds))


def test_an_endpoint_that_lags_rests_until_it_has_caught_up(proxies, connect, clock, anvil_url):
    lagging, good, *_ = proxies
    mine(anvil_url, 12, 20)
    chain = connect(lagging, good)
    lagging.lag(10)
    clock.now += rpc.HEAD_SECONDS + 1
    seen = lagging.seen("eth_getBalance")
    assert chain.balance(RICH.address) > 0
    assert errors(lagging, "lagging") == 1
    assert lagging.seen("eth_getBalance") == seen
    clock.now += 1.1
    chain.balance(RICH.address)
    assert lagging.seen("eth_getBalance") == seen, "it still lags"
    lagging.clear()
    clock.now += 61
    chain.balance(RICH.address)
    assert lagging.seen("eth_getBalance") == seen + 1


@pytest.mark.parametrize(("blocks", "seconds"), [(12, 1), (3, 100)])
def test_a_small_lag_is_none(blocks, seconds, proxies, connect, clock, anvil_url):
    """Neither many fast blocks nor few slow ones."""
    late, good, *_ = proxies
    mine(anvil_url, blocks, seconds)
    chain = connect(late, good)
    late.lag(blocks)
    clock.now += rpc.HEAD_SECONDS + 1
    chain.balance(RICH.address)
    assert errors(late, "lagging") == 0


def test_one_of_three_that_claims_to_be_far_ahead_makes_the_others_not_late(
    proxies, connect, clock, anvil_url
):
    liar, second, third, _ = proxies
    chain = connect(second, third, liar)
    block = direct(anvil_url, "eth_getBlockByNumber", "latest", False)
    far = {"number": "0xffffff", "timestamp": "0xffffffff"}
    liar.result(block | far, "eth_getBlockByNumber")
    clock.now += rpc.HEAD_SECONDS + 1
    chain.balance(RICH.address)
    clock.now += rpc.HEAD_SECONDS + 1
    chain.balance(RICH.address)
    assert errors(second, "lagging") == errors(third, "lagging") == 0


def test_the_newest_block_never_goes_back_to_an_older_one(proxies, connect, clock, anvil_url):
    lagging, good, *_ = proxies
    chain = connect(lagging, good)
    mine(anvil_url, 3, 1)
    newest = chain.head()
    assert newest.number == int(direct(anvil_url, "eth_blockNumber"), 16)
    lagging.lag(2)
    assert chain.head() == newest
    assert chain.now() == newest.timestamp
    assert chain.w3.eth.block_number == newest.number


def test_the_nonce_never_goes_back_to_an_older_one(proxies, connect, anvil_url):
    lagging, good, *_ = proxies
    chain = connect(lagging, good)
    pay(chain)
    pay(chain)
    nonce = chain.nonce(RICH.address)
    lagging.lag(1)
    assert chain.w3.provider.endpoints[0].make_request(
        "eth_getTransactionCount", [RICH.address, "latest"]
    )["result"] == hex(nonce - 1)
    assert chain.nonce(RICH.address) == nonce


def test_while_those_who_knew_the_newest_block_are_away_nothing_older_is_believed(
    proxies, connect, clock, anvil_url
):
    lagging, good, *_ = proxies
    chain = connect(good, lagging)
    mine(anvil_url, 3, 1)
    newest = chain.head()
    lagging.lag(2)
    good.cut()
    with pytest.raises(ChainUnavailable, match="behind what was seen"):
        chain.head()
    lagging.clear()
    assert chain.head() == newest
    lagging.lag(2)
    clock.now += rpc.MEMORY_SECONDS + 1
    assert chain.head().number == newest.number - 2, "not for ever"


@pytest.mark.parametrize("number", [1, 2])
def test_a_reorganisation_on_which_all_agree_is_believed(number, proxies, connect, anvil_url):
    chain = connect(*proxies[:number])
    nonce = chain.nonce(RICH.address)
    before = chain.head().number
    snapshot = direct(anvil_url, "evm_snapshot")
    pay(chain)
    assert chain.nonce(RICH.address) == nonce + 1
    assert chain.head().number == before + 1
    direct(anvil_url, "evm_revert", snapshot)
    assert chain.nonce(RICH.address) == nonce
    assert chain.head().number == before


# Sending


def test_a_transaction_goes_to_every_endpoint_so_that_one_which_drops_it_does_no_harm(
    proxies, connect, anvil_url
):
    dropping, good, *_ = proxies
    chain = connect(dropping, good)
    dropping.drop_transactions()
    pay(chain)


@pytest.mark.usefixtures("hurry")
def test_a_lost_answer_is_made_up_by_the_other(proxies, connect, anvil_url):
    losing, good, *_ = proxies
    chain = connect(losing, good)
    losing.lose_answer("eth_sendRawTransaction")
    direct(anvil_url, "evm_setAutomine", False)
    try:
        payment = signed_payment(chain)
        assert chain.broadcast(bytes(payment.raw_transaction)) is Sent.KNOWN
        assert chain.w3.eth.send_raw_transaction(payment.raw_transaction) == payment.hash, (
            "for web3 it is a success"
        )
    finally:
        direct(anvil_url, "evm_setAutomine", True)
        mine(anvil_url, 1, 1)
    mined(chain, payment)


def test_with_one_endpoint_a_lost_answer_is_unclear_and_the_repetition_is_known(
    proxies, connect, anvil_url
):
    [losing, *_] = proxies
    chain = connect(losing)
    losing.lose_answer("eth_sendRawTransaction")
    direct(anvil_url, "evm_setAutomine", False)
    try:
        payment = signed_payment(chain)
        with pytest.raises(ChainUnavailable, match="no answer"):
            chain.broadcast(bytes(payment.raw_transaction))
        losing.clear()
        assert chain.broadcast(bytes(payment.raw_transaction)) is Sent.KNOWN
    finally:
        direct(anvil_url, "evm_setAutomine", True)
        mine(anvil_url, 1, 1)
    mined(chain, payment)


def test_one_that_accepts_outweighs_one_that_refuses(proxies, connect):
    refusing, good, *_ = proxies
    chain = connect(refusing, good)
    refusing.error(-32000, "insufficient funds for gas * price + value", "eth_sendRawTransaction")
    pay(chain)
    assert count(metrics.RPC_UP, label(refusing)) == 1


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ("already known", Sent.KNOWN),
        ("nonce too low", Sent.NONCE_USED),
        ("replacement transaction underpriced", Sent.UNDERPRICED),
        ("insufficient funds for gas * price + value", Sent.NO_FUNDS),
        ("exceeds block gas limit", Sent.REFUSED),
        ("something that nobody has seen before", Sent.REFUSED),
    ],
)
def test_what_became_of_a_transaction_is_one_word(message, sent, proxies, connect):
    [proxy, *_] = proxies
    chain = connect(proxy)
    proxy.error(-32000, message, "eth_sendRawTransaction")
    assert chain.broadcast(bytes(signed_payment(chain).raw_transaction)) is sent


def test_an_endpoint_that_is_behind_gives_no_clear_answer_to_a_transaction(proxies, connect):
    [proxy, *_] = proxies
    chain = connect(proxy)
    proxy.error(-32000, "header not found", "eth_sendRawTransaction")
    with pytest.raises(ChainUnavailable, match="header not found"):
        chain.broadcast(bytes(signed_payment(chain).raw_transaction))


# Agreement


def test_reads_that_decide_money_are_made_twice_about_one_block(proxies, connect, anvil_url):
    ahead, behind, *_ = proxies
    mine(anvil_url, 5, 1)
    chain = connect(ahead, behind, agreement=2)
    behind.lag(2)
    block = int(direct(anvil_url, "eth_blockNumber"), 16) - 2

    def read(w3):
        return w3.eth.get_block(w3.eth.default_block)["number"], w3.eth.get_balance(RICH.address)

    assert chain.agreed(read)[0] == block
    assert ahead.seen("eth_getBalance") == behind.seen("eth_getBalance") == 1


def balance(w3):
    return w3.eth.get_balance(RICH.address)


def test_a_liar_is_outvoted_counted_and_named(proxies, connect, alerts):
    liar, second, third, _ = proxies
    chain = connect(liar, second, third, agreement=2)
    truth = chain.balance(RICH.address)
    liar.result("0x1", "eth_getBalance")
    assert chain.agreed(balance) == truth
    assert count(metrics.RPC_DISSENT, label(liar)) == 1
    assert count(metrics.RPC_DISSENT, label(second)) == 0
    assert firing(alerts) == {("rpc_dissent", label(liar))}
    liar.clear()
    assert chain.agreed(balance) == truth
    assert firing(alerts) == set()
    assert third.seen("eth_getBalance") == 1, "asked only in place of the liar"


def test_if_nobody_agrees_nothing_is_believed(proxies, connect, alerts):
    liar, second, *_ = proxies
    chain = connect(liar, second, agreement=2)
    liar.result("0x1", "eth_getBalance")
    with pytest.raises(ChainUnavailable, match="no 2 say the same"):
        chain.agreed(balance)
    assert firing(alerts) == {("rpc_dissent", label(liar)), ("rpc_dissent", label(second))}
    liar.clear()
    assert chain.agreed(balance) > 1


def test_in_place_of_one_that_fails_another_is_asked(proxies, connect):
    failing, second, third, _ = proxies
    chain = connect(failing, second, third, agreement=2)
    failing.cut("eth_getBalance")
    assert chain.agreed(balance) > 1
    assert third.seen("eth_getBalance") == 1


def test_too_few_endpoints_cannot_agree(proxies, connect):
    first, second, *_ = proxies
    chain = connect(first, second, agreement=2)
    second.cut()
    with pytest.raises(ChainUnavailable, match="only 1 of"):
        chain.agreed(balance)


@pytest.mark.parametrize("method", [None, "eth_getBalance"], ids=["away", "fails"])
@pytest.mark.parametrize("number", [0, 1])
def test_what_must_not_wait_is_believed_of_the_only_one_that_answers(
    number, method, proxies, connect, clock
):
    chain = connect(*proxies[:2], agreement=2)
    proxies[number].cut(*filter(None, [method]))
    assert chain.agreed(balance, least=1) > 1
    clock.now += 100
    with pytest.raises(ChainUnavailable):
        chain.agreed(balance)
    clock.now += 100
    proxies[1 - number].cut("eth_getBalance")
    with pytest.raises(ChainUnavailable):
        chain.agreed(balance, least=1)


def test_what_must_not_wait_is_believed_of_none_that_is_contradicted(proxies, connect):
    liar, second, *_ = proxies
    chain = connect(liar, second, agreement=2)
    liar.result("0x1", "eth_getBalance")
    with pytest.raises(ChainUnavailable, match="no 2 say the same"):
        chain.agreed(balance, least=1)


def test_a_revert_can_be_agreed_on(proxies, connect):
    chain = connect(*proxies[:2], agreement=2)
    with pytest.raises(Reverted):
        chain.agreed(lambda w3: w3.eth.call({"data": "0x60006000fd"}))
    proxies[0].result("0x", "eth_call")
    with pytest.raises(ChainUnavailable, match="no 2 say"):
        chain.agreed(lambda w3: w3.eth.call({"data": "0x60006000fd"}))


def test_with_one_nothing_is_asked_twice(proxies, connect):
    first, second, *_ = proxies
    chain = connect(first, second)
    assert chain.agreed(balance) == chain.balance(RICH.address)
    assert second.seen("eth_getBalance") == 0


def test_more_cannot_agree_than_there_are(proxies):
    with pytest.raises(ConfigurationError, match="2 RPC endpoints have to agree, but there are 1"):
        Chain.connect(proxies[0].url, agreement=2)
    with pytest.raises(ConfigurationError, match="no RPC endpoint"):
        Chain.connect([])


def test_a_tie_blames_everybody_and_a_majority_only_the_others():
    first, second, third = (Endpoint(f"http://{name}") for name in "abc")
    votes = [rpc_agreement._Vote(first, 1, None), rpc_agreement._Vote(second, 2, None)]
    assert rpc_agreement._plurality(votes) is None
    assert rpc_agreement._plurality([*votes, rpc_agreement._Vote(third, 2, None)]).value == 2


# Secrets, connections, threads


def test_secrets_of_an_address_appear_nowhere(proxies, connect, alerts):
    [proxy, *_] = proxies
    secret = f"{proxy.url}?token=another-secret-word"
    provider = FailoverProvider([secret, secret], alerts=alerts)
    chain = Chain(Web3(provider), 31_337, alerts=alerts)
    proxy.error(-32000, f"no {SECRET} nor another-secret-word", "eth_getBalance")
    with pytest.raises(ChainUnavailable) as raised:
        chain.balance(RICH.address)
    proxy.clear()
    proxy.cut()
    with pytest.raises(ChainUnavailable) as cut:
        chain.balance(RICH.address)
    texts = [repr(provider), repr(provider.endpoints), chain.host]
    texts += [alert.message for alert in alerts.firing()]
    for error in (raised.value, cut.value):  # with all their causes, as a trace shows them
        texts += traceback.format_exception(error)
    assert not [text for text in texts if SECRET in text or "another-secret" in text]
    assert [endpoint.label for endpoint in provider.endpoints] == [
        f"{label(proxy)} #1",
        f"{label(proxy)} #2",
    ]


def test_connections_are_used_again(proxies, connect):
    [proxy, *_] = proxies
    chain = connect(proxy)
    for _ in range(20):
        chain.balance(RICH.address)
    assert proxy.connections == 1


def test_an_endpoint_that_sends_a_byte_now_and_then_is_late_too(monkeypatch):
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def trickle():
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not done.wait(0.1):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        endpoint = Endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(EndpointFault) as raised:
            endpoint.make_request("eth_chainId", [], seconds=0.5)
        assert raised.value.kind is Kind.TIMEOUT
    finally:
        done.set()
        thread.join()
        listener.close()


def test_an_answer_without_end_is_refused(proxies, monkeypatch):
    monkeypatch.setattr(rpc_endpoint, "MAX_ANSWER_BYTES", 10_000)
    [proxy, *_] = proxies
    proxy.result("x" * 20_000, "web3_clientVersion")
    with pytest.raises(EndpointFault, match="more than 10000 bytes"):
        Endpoint(proxy.url).make_request("web3_clientVersion", [])


def test_an_answer_about_another_transaction_is_garbage(proxies, connect, anvil_url):
    [proxy, *_] = proxies
    chain = connect(proxy)
    first = pay(chain)
    second = signed_payment(chain, 2)
    receipt = direct(anvil_url, "eth_getTransactionReceipt", Web3.to_hex(first.hash))
    proxy.result(receipt, "eth_getTransactionReceipt")
    assert chain.receipt(bytes(first.hash))["status"] == 1
    with pytest.raises(ChainUnavailable, match="another receipt"):
        chain.receipt(bytes(second.hash))
    proxy.result(Web3.to_hex(first.hash), "eth_sendRawTransaction")
    with pytest.raises(ChainUnavailable, match="another transaction"):
        chain.broadcast(bytes(second.raw_transaction))


def test_many_threads_with_trouble_get_answers(proxies, connect):
    chain = connect(*proxies[:3])
    proxies[0].cut(every=3)
    proxies[1].http_status(500, every=4)
    truth = chain.balance(RICH.address)
    problems = []

    def ask():
        try:
            for _ in range(30):
                assert chain.balance(RICH.address) == truth
                chain.head()
        except Exception as error:  # noqa: BLE001 - told by the main thread
            problems.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_random_faults_come_again_from_the_same_seed_and_can_all_be_applied(proxies):
    [proxy, *_] = proxies
    faults = [random_fault(random.Random(seed)) for seed in range(100)]
    assert faults == [random_fault(random.Random(seed)) for seed in range(100)]
    assert len({fault.name for fault in faults}) >= 9
    endpoint = Endpoint(proxy.url)
    for fault in faults:
        if fault.name in ("hang", "delay"):
            continue
        proxy.clear()
        proxy.apply(fault)
        for method, params in [("eth_chainId", []), ("eth_blockNumber", [])]:
            with suppress(EndpointFault):
                endpoint.make_request(method, params)
    proxy.clear()
    assert endpoint.chain_id() == 31_337
