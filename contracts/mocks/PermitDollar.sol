// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {IERC3009} from "../periphery/interfaces/IERC3009.sol";

/// @dev A test dollar that takes signatures, as USDC does: EIP-2612 permits, and EIP-3009 authorisations to receive.
contract PermitDollar is ERC20Permit, IERC3009 {
    bytes32 private constant RECEIVE_TYPEHASH =
        keccak256(
            "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,"
            "bytes32 nonce)"
        );

    mapping(address authorizer => mapping(bytes32 nonce => bool)) public authorizationState;

    error PermitDollar_NotPayee(address caller);
    error PermitDollar_NotValidNow(uint256 validAfter, uint256 validBefore);
    error PermitDollar_NonceUsed(bytes32 nonce);
    error PermitDollar_Signature();

    // solhint-disable-next-line no-empty-blocks
    constructor() ERC20("Makegood Permit Dollar", "pUSD") ERC20Permit("Makegood Permit Dollar") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        require(to == msg.sender, PermitDollar_NotPayee(msg.sender));
        bool validNow = block.timestamp > validAfter && block.timestamp < validBefore;
        require(validNow, PermitDollar_NotValidNow(validAfter, validBefore));
        require(!authorizationState[from][nonce], PermitDollar_NonceUsed(nonce));
        authorizationState[from][nonce] = true;
        bytes32 hash = keccak256(abi.encode(RECEIVE_TYPEHASH, from, to, value, validAfter, validBefore, nonce));
        require(ECDSA.recover(_hashTypedDataV4(hash), v, r, s) == from, PermitDollar_Signature());
        _transfer(from, to, value);
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
