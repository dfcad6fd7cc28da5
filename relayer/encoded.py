"""Calls whose data is made here, once, from the contract's ABI.

web3's own ``ContractFunction`` walks through all arguments several times whenever it is made, asked, simulated, estimated or
signed: with hundreds of feeds in a call that takes a second, and with thousands of agreements to ask about most of a processor.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak
from eth_utils.hexadecimal import encode_hex
from hexbytes import HexBytes
from web3.exceptions import BadFunctionCallOutput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from eth_typing import ChecksumAddress
    from web3 import Web3
    from web3.types import TxParams


class Function:
    """One function of a contract.

    :param entry: What the ABI says of it.
    """

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self._name: str = entry["name"]
        self._inputs = [collapse_if_tuple(item) for item in entry["inputs"]]
        self._outputs = [collapse_if_tuple(item) for item in entry["outputs"]]
        self._selector = keccak(text=f"{self._name}({','.join(self._inputs)})")[:4]

    def data(self, *arguments: object) -> bytes:
        """The data of a transaction that calls it."""
        return self._selector + encode(self._inputs, arguments)

    def ask(self, w3: Web3, address: ChecksumAddress, *arguments: object) -> tuple[Any, ...]:
        """What the contract answers; of a function that changes something, what it would.

        :raises BadFunctionCallOutput: That is no answer to this question, as where there is no contract.
        """
        answer = w3.eth.call({"to": address, "data": HexBytes(self.data(*arguments))})
        try:
            return decode(self._outputs, bytes(answer))
        except DecodingError as error:
            said = f"{len(answer)} bytes are no answer to {self._name}"
            raise BadFunctionCallOutput(said) from error


class EncodedCall:
    """A call to be sent, for as much of web3's ``ContractFunction`` as sending needs.

    :param make: Makes its data, once and only when it is sent: of many reports that are due a round sends one.
    :param idle: What it returns if it would change nothing, and is worth no transaction; None: then it fails.
    """

    def __init__(
        self,
        w3: Web3,
        address: ChecksumAddress,
        make: Callable[[], bytes],
        *,
        idle: bytes | None = None,
    ) -> None:
        self.address = address
        self.idle = idle
        self._w3 = w3
        self._make = make

    @cached_property
    def _data(self) -> HexBytes:
        return HexBytes(self._make())

    def call(self, transaction: TxParams | None = None) -> bytes:
        """Returns what the contract returns, encoded."""
        return bytes(self._w3.eth.call(self._with(transaction)))

    def estimate_gas(self, transaction: TxParams | None = None) -> int:
        return int(self._w3.eth.estimate_gas(self._with(transaction)))

    def _encode_transaction_data(self) -> str:
        return encode_hex(self._data)

    def _with(self, transaction: TxParams | None) -> TxParams:
        return {**(transaction or {}), "to": self.address, "data": self._data}
