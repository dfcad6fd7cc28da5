// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {TestDollar} from "./TestDollar.sol";

/// @dev Keeps one percent of every transfer.
contract FeeOnTransferToken is TestDollar {
    function _update(address from, address to, uint256 value) internal override {
        uint256 fee = from == address(0) || to == address(0) ? 0 : value / 100;
        if (fee != 0) super._update(from, address(0), fee);
        super._update(from, to, value - fee);
    }
}

/// @dev Says "done" and, once told to lie, does nothing.
contract LyingToken is TestDollar {
    bool public lying;

    function setLying(bool lying_) external {
        lying = lying_;
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        return lying || super.transfer(to, value);
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        return lying || super.transferFrom(from, to, value);
    }
}

/// @dev Takes more from the sender than it was told to.
contract GreedyToken is TestDollar {
    function transfer(address to, uint256 value) public override returns (bool) {
        _burn(msg.sender, 1);
        return super.transfer(to, value);
    }
}

/// @dev Refuses to deliver to listed accounts, as regulated dollars do.
contract DenyListToken is TestDollar {
    mapping(address account => bool) public denied;

    error DenyListToken_Denied(address account);

    function setDenied(address account, bool denied_) external {
        denied[account] = denied_;
    }

    function _update(address from, address to, uint256 value) internal virtual override {
        require(!denied[to], DenyListToken_Denied(to));
        super._update(from, to, value);
    }
}

/// @dev Burns all the gas it is given when it delivers to a listed account.
contract GasBurningToken is DenyListToken {
    function _update(address from, address to, uint256 value) internal override {
        if (denied[to]) {
            for (uint256 i = 0; ; ++i) denied[address(uint160(i))] = false;
        }
        super._update(from, to, value);
    }
}

/// @dev Calls the receiver of every transfer, as ERC-777 does.
contract HookToken is TestDollar {
    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (to.code.length != 0) IHookReceiver(to).tokensReceived(value);
    }
}

interface IHookReceiver {
    function tokensReceived(uint256 value) external;
}
