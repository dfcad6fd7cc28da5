// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @dev A call to make.
struct Call {
    address target;
    bytes data;
}

/// @dev What came of it.
/// @param returned What it returned, or why it failed; at most the first 512 bytes.
struct Result {
    bool success;
    bytes returned;
}

/// @title Many calls in one transaction, of which some may fail
/// @notice For what anyone may do: settle, close, report, skip, redeliver. The targets see this contract as the caller.
///
/// Never give it an allowance, a role or tokens: anyone can have it make any call.
contract Batcher {
    /// @dev Errors of contracts are far shorter. Longer answers are cut, so that nobody's answer eats the others' gas.
    uint256 private constant MAX_RETURNED = 512;
    /// @dev Covers what a call costs around itself, at worst: reaching its target, and an answer that is copied and logged.
    uint256 private constant CALL_OVERHEAD = 17_000;
    /// @dev Covers what it costs in the end to return a result.
    uint256 private constant RESULT_OVERHEAD = 3_000;

    /// @notice Call number `index` failed. `reason` is what it reverted with; empty if it ran out of gas, or said nothing.
    event CallFailed(uint256 indexed index, address indexed target, bytes reason);

    /// @dev A call would get `share` gas only.
    error Batcher_MoreGasNeeded(uint256 share, uint256 gasEach);
    /// @dev The reason of a call that was not made, because there is no contract to call.
    error Batcher_NoContract(address target);

    /// @notice Makes all calls, in order. One that fails leaves no trace but `CallFailed`.
    /// @dev Each gets an equal share of the gas that is left, so a call that burns its share leaves the others theirs.
    /// @param gasEach Reverts unless each call gets so much gas. With 0 a call could be starved by a gas limit that is too low, as
    /// a node's estimate is, which sees nothing fail.
    function run(Call[] calldata calls, uint256 gasEach) external returns (Result[] memory results) {
        uint256 count = calls.length;
        results = new Result[](count);
        for (uint256 i = 0; i < count; ++i) {
            Call calldata item = calls[i];
            Result memory result = results[i];
            if (item.target.code.length == 0) {
                // The call would succeed.
                result.returned = abi.encodeWithSelector(Batcher_NoContract.selector, item.target);
            } else {
                uint256 keep = (count - i) * CALL_OVERHEAD + count * RESULT_OVERHEAD;
                (result.success, result.returned) = _try(item, keep, count - i, gasEach);
            }
            if (!result.success) emit CallFailed(i, item.target, result.returned);
        }
    }

    /// @param keep Gas that is not shared.
    /// @param calls Number of calls that share the rest.
    function _try(
        Call calldata item,
        uint256 keep,
        uint256 calls,
        uint256 gasEach
    ) private returns (bool success, bytes memory returned) {
        address target = item.target;
        bytes calldata data = item.data;
        assembly ("memory-safe") {
            returned := mload(0x40)
            calldatacopy(returned, data.offset, data.length)
        }
        // The EVM keeps a 64th of the gas from every call (EIP-150).
        uint256 available = gasleft() - gasleft() / 64;
        uint256 share = available > keep ? (available - keep) / calls : 0;
        require(share >= gasEach, Batcher_MoreGasNeeded(share, gasEach));
        assembly ("memory-safe") {
            success := call(share, target, 0, returned, data.length, 0, 0)
            let length := returndatasize()
            if gt(length, MAX_RETURNED) {
                length := MAX_RETURNED
            }
            // In place of the data.
            mstore(0x40, and(add(returned, add(length, 63)), not(31)))
            mstore(returned, length)
            returndatacopy(add(returned, 32), 0, length)
        }
    }
}
