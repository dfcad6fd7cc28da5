// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {IHookReceiver} from "./HostileTokens.sol";

/// @dev A wallet contract with one owner (ERC-1271) that can make any call, also while it is being paid.
contract MockWallet is IERC1271, IHookReceiver {
    address public immutable owner;
    address private _target;
    bytes private _data;
    bytes public hookResult;

    constructor(address owner_) {
        owner = owner_;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        (address signer, , ) = ECDSA.tryRecover(hash, signature);
        return signer == owner ? IERC1271.isValidSignature.selector : bytes4(0);
    }

    /// @dev The call to make when tokens arrive.
    function onTokens(address target, bytes calldata data) external {
        _target = target;
        _data = data;
    }

    function tokensReceived(uint256) external {
        if (_target == address(0)) return;
        (, hookResult) = _target.call(_data);
    }

    function execute(address target, bytes calldata data) external returns (bytes memory) {
        (bool ok, bytes memory result) = target.call(data);
        require(ok, "call failed");
        return result;
    }
}
