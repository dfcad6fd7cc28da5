"""What the escrow's tests say in one line: signing, opening, reporting, and moving the clock."""

import time
from dataclasses import replace

import brownie
import requests
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE
from relayer.protocol.report import ALL_INTERVALS, batches_as_abi
from relayer.protocol.terms import Level, Termination
from relayer.protocol.typed_data import (
    Domain,
    digest,
    sign,
    termination_message,
    terms_message,
)
from scripts.toolchain.brownie_fixes import GAS_PRICE
from tests import samples

GOOD, BAD = 1_000_000, 0
CODES = {"g": GOOD, "b": BAD, "u": NO_DATA, "n": NOT_APPLICABLE}

UNFUNDED, FUNDED, CLOSED, REFUNDED, TERMINATED, MOVED = range(6)
NONE, OPEN, ENDED = range(3)
NOBODY = "0x" + "00" * 20
ZERO_HASH = bytes(32)

# What the lock of OpenZeppelin's ReentrancyGuard answers.
REENTERED = "0x" + keccak(text="ReentrancyGuardReentrantCall()")[:4].hex()

# Modes of ScriptedOracle.
ANSWER, REVERT, BURN_GAS = 0, 1, 2


def refused(error, *values):
    """The block must be refused with exactly this error and these values."""
    return brownie.reverts(f"{error}: " + ", ".join(_shown(value) for value in values))


def _shown(value):
    if isinstance(value, str) and value.startswith("0x"):
        return value.lower()
    return repr(value) if isinstance(value, bytes) else str(value)


def events(tx, name):
    """The values of all events of one name."""
    return [dict(event) for event in tx.events[name]] if name in tx.events else []


def request(method, *params):
    answer = brownie.web3.provider.make_request(method, list(params))
    assert "error" not in answer, answer
    return answer.get("result")


def on_ganache():
    return "ganache" in brownie.web3.client_version.lower()


def set_code(address, code):
    """Swaps the code of a contract and leaves its storage, as an upgrade does."""
    request("evm_setAccountCode" if on_ganache() else "anvil_setCode", address, code)


def set_storage(contract, slot, value):
    """Forces a word of a contract's storage to what its rules may not allow."""
    method = "evm_setAccountStorageAt" if on_ganache() else "anvil_setStorageAt"
    request(method, contract.address, "0x" + slot.hex(), "0x" + value.to_bytes(32, "big").hex())


def upgrade(contract, container):
    """`contract` behaves like `container` from now on."""
    model = container.deploy({"from": brownie.accounts[9]})
    set_code(contract.address, brownie.web3.eth.get_code(model.address).to_0x_hex())
    return brownie.Contract.from_abi(container._name, contract.address, container.abi)


class World:
    """The contracts, the parties, and a clock that only moves forward.

    Accounts: 1 is the provider, 2 the consumer, 3 a stranger.
    """

    def __init__(self, escrow, oracle, token, start, at):
        self.escrow, self.oracle, self.token = escrow, oracle, token
        self.start, self.at = start, at
        self.provider, self.consumer, self.stranger = brownie.accounts[1:4]

    @property
    def domain(self):
        return Domain(brownie.chain.id, self.escrow.address)

    @property
    def now(self):
        return brownie.chain[-1].timestamp

    def go(self, time):
        """The next block has this time, unless it is past already."""
        if time > self.now:
            self.at(time)

    # AGREEMENT

    def feed(self, start=None, **changes):
        return samples.feed(self.start if start is None else start, **changes)

    def terms(self, *feeds, **changes):
        defaults = {"token": self.token.address, "oracle": self.oracle.address}
        return samples.terms(*(feeds or [self.feed()]), **(defaults | changes))

    def id_of(self, terms):
        return digest(terms_message(self.domain, terms))

    def give(self, payer, amount, token=None):
        """Mints for `payer`, who allows the escrow to take it."""
        token = token or self.token
        token.mint(payer, amount, {"from": payer})
        token.approve(self.escrow, amount, {"from": payer})

    def open(self, terms, payer=None, signed=None, token=None):
        payer = payer or self.consumer
        if terms.prepaid_windows:
            self.give(payer, fees(terms, 0, terms.prepaid_windows), token)
        signed = signed or samples.signatures(self.domain, terms)
        return self.escrow.open(terms.as_abi(), *signed, {"from": payer})

    def opened(self, *feeds, **changes):
        """Terms that are open."""
        terms = self.terms(*feeds, **changes)
        self.open(terms)
        return terms

    def try_open(self, terms, signed=None):
        """What `open` answers, without doing it."""
        signed = signed or samples.signatures(self.domain, terms)
        return self.escrow.open.call(terms.as_abi(), *signed, {"from": self.consumer})

    def fund(self, terms, first, count, payer=None, token=None):
        payer = payer or self.consumer
        self.give(payer, fees(terms, first, count), token)
        return self.escrow.fund(terms.as_abi(), first, count, {"from": payer})

    # CHANGE AND END

    def both(self, message):
        """The provider's and the consumer's signature."""
        return sign(samples.wallet(1), message), sign(samples.wallet(2), message)

    def next_terms(self, current, window, *feeds, **changes):
        """Terms that take the place of `current` from its window `window` on, with a salt of their own."""
        defaults = {
            "previous": self.id_of(current),
            "start": current.window_start(window),
            "open_by": current.window_start(window),
            "prepaid_windows": 0,
            "salt": bytes([window + 1]) * 32,
        }
        if feeds:
            defaults["levels"] = tuple(Level(feed.ref, samples.TIERS) for feed in feeds)
        return replace(current, **(defaults | changes))

    def amend(self, current, next_, signed=None, sender=None):
        signed = signed or samples.signatures(self.domain, next_)
        args = current.as_abi(), next_.as_abi(), *signed
        return self.escrow.amend(*args, {"from": sender or self.stranger})

    def try_amend(self, current, next_, signed=None):
        """What `amend` answers, without doing it."""
        signed = signed or samples.signatures(self.domain, next_)
        args = current.as_abi(), next_.as_abi(), *signed
        return self.escrow.amend.call(*args, {"from": self.stranger})

    def amended(self, current, window, *feeds, **changes):
        """Terms that have taken the place of others."""
        next_ = self.next_terms(current, window, *feeds, **changes)
        self.amend(current, next_)
        return next_

    def termination(self, terms, window=0, to_provider=0, **changes):
        fields = {"agreement": self.id_of(terms), "valid_until": self.now + 10_000_000}
        return Termination(**(fields | {"window": window, "to_provider": to_provider} | changes))

    def terminate(self, terms, termination, signed=None, sender=None):
        signed = signed or self.both(termination_message(self.domain, termination))
        args = terms.as_abi(), termination.as_abi(), *signed
        return self.escrow.terminate(*args, {"from": sender or self.stranger})

    def try_terminate(self, terms, termination, signed=None):
        signed = signed or self.both(termination_message(self.domain, termination))
        args = terms.as_abi(), termination.as_abi(), *signed
        return self.escrow.terminate.call(*args, {"from": self.stranger})

    # BOND

    def post_bond(self, terms, amount, payer=None):
        payer = payer or self.provider
        self.give(payer, amount)
        return self.escrow.postBond(terms.as_abi(), amount, {"from": payer})

    def bonded(self, feed, bond=samples.FEE, **changes):
        """Terms that are open, with a bond that has been posted and a credit of up to 655 %, 10 % per bad interval."""
        levels = (Level(feed.ref, (), credit_per_bad_interval=1_000),)
        defaults = {"levels": levels, "credit_cap": 65_535, "prepaid_windows": 0, "bond": bond}
        terms = self.opened(feed, **(defaults | changes))
        self.post_bond(terms, bond)
        return terms

    def bond(self, terms):
        """Still there, owed, windows that need it."""
        return tuple(self.escrow.bondOf(self.escrow.firstOf(self.id_of(terms))))

    # REPORTING

    def judge(self, feed, pattern, when=0):
        """Two of three reporters sign the pattern from the feed's next interval on, at the first possible time.

        g: good, b: bad, u: no data, n: not applicable; a number stands for itself.
        """
        first = self.oracle.latest(feed.id)[0]
        last = first + len(pattern) - 1
        self.go(max(feed.measurement.readable_at(last), when))
        domain = Domain(brownie.chain.id, self.oracle.address)
        codes = [CODES.get(letter, letter) for letter in pattern]
        signed = [samples.signed_batch(domain, feed, who, first, codes) for who in (0, 1)]
        batches = batches_as_abi(signed)
        return self.oracle.report(feed.as_abi(), ALL_INTERVALS, batches, {"from": self.stranger})

    # MONEY

    def doors(self, terms, token):
        """Every call that touches money, encoded."""
        e, abi = self.escrow, terms.as_abi()
        return {
            "open": e.open.encode_input(abi, b"", b""),
            "fund": e.fund.encode_input(abi, 2, 1),
            "settle": e.settle.encode_input(abi, 0),
            "close": e.close.encode_input(abi, 0),
            "amend": e.amend.encode_input(abi, abi, b"", b""),
            "terminate": e.terminate.encode_input(abi, self.termination(terms).as_abi(), b"", b""),
            "endForBreaches": e.endForBreaches.encode_input(abi, [0]),
            "endByNotice": e.endByNotice.encode_input(abi),
            "postBond": e.postBond.encode_input(abi, 1),
            "releaseBond": e.releaseBond.encode_input(abi),
            "withdraw": e.withdraw.encode_input(token, self.stranger),
            "redeliver": e.redeliver.encode_input(token, self.consumer),
            "skim": e.skim.encode_input(token, self.stranger),
        }

    def settle(self, terms, window=0, sender=None, **options):
        return self.escrow.settle(
            terms.as_abi(), window, {"from": sender or self.stranger, **options}
        )

    def close(self, terms, window=0, sender=None, **options):
        return self.escrow.close(
            terms.as_abi(), window, {"from": sender or self.stranger, **options}
        )

    def claimable(self, terms, window=0):
        """Certain credit [bps], what `settle` would pay, whether `close` would succeed."""
        return tuple(self.escrow.claimable(terms.as_abi(), window))

    def window(self, terms, window=0):
        """Status, and what the consumer was paid."""
        return tuple(self.escrow.windowOf(self.id_of(terms), window))

    def statuses(self, terms, count=None):
        """Of all windows."""
        return [self.window(terms, w)[0] for w in range(count or terms.windows)]

    def wait_until(self, time):
        """A block has this time, so that views are asked at it."""
        self.at(time)
        request("evm_mine")

    def balances(self, token=None):
        """Of the provider, the consumer and the escrow."""
        token = token or self.token
        return tuple(
            token.balanceOf(account) for account in (self.provider, self.consumer, self.escrow)
        )


def fees(terms, first, count):
    """Of windows [first, first + count)."""
    return sum(terms.fee_of(window) for window in range(first, first + count))


def tally_answer(planned=60, judged=0, bad=0, unknown=0, not_applicable=0, run=0, deviation=0):
    """What an oracle answers that has this tally."""
    words = planned, judged, bad, unknown, not_applicable, run, deviation
    return encode(["uint256"] * 7, words)


def attempt(sender, contract, data, gas=12_000_000):
    """Sends a transaction past brownie, which would trace every failure. Returns its receipt, None if it was refused."""
    transaction = {"from": str(sender), "to": str(contract), "data": data}
    transaction |= {"gas": hex(gas), "gasPrice": hex(GAS_PRICE)}
    sent = brownie.web3.provider.make_request("eth_sendTransaction", [transaction])
    if (
        "error" in sent
    ):  # ganache executes it and says so at once; anvil if not even the data can be paid for
        return None
    receipt = None
    deadline = time.monotonic() + 60
    while receipt is None and time.monotonic() < deadline:
        receipt = request("eth_getTransactionReceipt", sent["result"])
    return receipt if receipt["status"] == "0x1" else None


def read(*calls):
    """The answers of view functions, each given as (method, argument, ...), in one round trip."""
    batch = [
        {
            "jsonrpc": "2.0",
            "id": i,
            "method": "eth_call",
            "params": [{"to": method._address, "data": method.encode_input(*args)}, "latest"],
        }
        for i, (method, *args) in enumerate(calls)
    ]
    answered = requests.post(brownie.web3.provider.endpoint_uri, json=batch, timeout=30).json()
    results = {answer["id"]: bytes.fromhex(answer["result"][2:]) for answer in answered}
    return [method.decode_output(results[i]) for i, (method, *_) in enumerate(calls)]


def outcomes_by_gas(world, method, terms, limits, payee):
    """For each gas limit: None if the call was refused, else what reached `payee` and what was withheld. Changes nothing."""
    data = method.encode_input(terms.as_abi(), 0)
    before = world.token.balanceOf(payee)
    for gas in limits:
        snapshot = request("evm_snapshot")
        if attempt(world.stranger, world.escrow, data, gas):
            paid = world.token.balanceOf(payee) - before
            yield {"paid": paid, "withheld": world.escrow.withdrawable(world.token, payee)}
        else:
            yield None
        request("evm_revert", snapshot)
