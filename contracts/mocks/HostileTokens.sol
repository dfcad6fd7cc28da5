// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

import {TestDollar} from "./TestDollar.sol";

// TOKENS THAT TAKE OR GIVE SOMETHING ELSE THAN THEY WERE TOLD TO

/// @dev Keeps one percent of every transfer.
contract FeeOnTransferToken is TestDollar {
    function _update(address from, address to, uint256 value) internal override {
        uint256 fee = from == address(0) || to == address(0) ? 0 : value / 100;
        if (fee != 0) super._update(from, address(0), fee);
        super._update(from, to, value - fee);
    }
}

/// @dev Takes more from the sender than it was told to.
contract GreedyToken is TestDollar {
    function transfer(address to, uint256 value) public override returns (bool) {
        _burn(msg.sender, 1);
        return super.transfer(to, value);
    }
}

/// @dev Balances grow and shrink by themselves.
contract RebasingToken is TestDollar {
    /// @param percent Of what `account` has, it has from now on.
    function rebase(address account, uint256 percent) external {
        uint256 before = balanceOf(account);
        uint256 after_ = (before * percent) / 100;
        if (after_ > before) _mint(account, after_ - before);
        else _burn(account, before - after_);
    }
}

// TOKENS THAT ANSWER SOMETHING ELSE THAN THEY DID

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

/// @dev Says "not done" where others revert and, once told to lie, even where it did as it was told.
contract FalseToken is TestDollar {
    bool public lying;

    function setLying(bool lying_) external {
        lying = lying_;
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        if (balanceOf(msg.sender) < value) return false;
        return super.transfer(to, value) && !lying;
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        if (balanceOf(from) < value || allowance(from, msg.sender) < value) return false;
        return super.transferFrom(from, to, value) && !lying;
    }
}

/// @dev Answers nothing, and wants an allowance to be zero before it becomes anything else, as Tether does.
contract SilentToken is TestDollar {
    error SilentToken_AllowanceNotZero();

    function transfer(address to, uint256 value) public override returns (bool) {
        super.transfer(to, value);
        _stop();
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        super.transferFrom(from, to, value);
        _stop();
    }

    function approve(address spender, uint256 value) public override returns (bool) {
        require(value == 0 || allowance(msg.sender, spender) == 0, SilentToken_AllowanceNotZero());
        super.approve(spender, value);
        _stop();
    }

    function _stop() private pure {
        assembly {
            return(0, 0)
        }
    }
}

// TOKENS THAT REFUSE

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

/// @dev Refuses to deliver anything while it is paused.
contract PausableToken is TestDollar {
    bool public paused;

    error PausableToken_Paused();

    function setPaused(bool paused_) external {
        paused = paused_;
    }

    function _update(address from, address to, uint256 value) internal override {
        require(!paused, PausableToken_Paused());
        super._update(from, to, value);
    }
}

/// @dev Refuses at once, unless it is given a lot of gas. Who calls it with less has most of that left.
contract DearToken is TestDollar {
    error DearToken_MoreGas();

    function _update(address from, address to, uint256 value) internal override {
        require(gasleft() > 150_000, DearToken_MoreGas());
        super._update(from, to, value);
    }
}

/// @dev Refuses to move nothing.
contract NoZeroToken is TestDollar {
    error NoZeroToken_Zero();

    function _update(address from, address to, uint256 value) internal override {
        require(value != 0, NoZeroToken_Zero());
        super._update(from, to, value);
    }
}

/// @dev Refuses to let listed accounts give allowances.
contract NoApprovalToken is TestDollar {
    mapping(address owner => bool) public refused;

    error NoApprovalToken_Refused(address owner);

    function setRefused(address owner, bool refused_) external {
        refused[owner] = refused_;
    }

    function approve(address spender, uint256 value) public override returns (bool) {
        require(!refused[msg.sender], NoApprovalToken_Refused(msg.sender));
        return super.approve(spender, value);
    }
}

// TOKENS THAT ARE ODD

/// @dev Calls the receiver of every transfer, as ERC-777 does.
contract HookToken is TestDollar {
    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (to.code.length != 0) IHookReceiver(to).tokensReceived(value);
    }
}

/// @dev Has as many decimals as it is told.
contract DecimalsToken is ERC20 {
    uint8 private immutable _decimals;

    constructor(uint8 decimals_) ERC20("Odd", "ODD") {
        _decimals = decimals_;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function decimals() public view override returns (uint8) {
        return _decimals;
    }
}

interface IHookReceiver {
    function tokensReceived(uint256 value) external;
}
