// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev A token with all the vices that a test asks for, one at a time. Its allowances are honest.
contract ViciousToken {
    struct Call {
        address target;
        bytes data;
    }

    mapping(address account => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;
    mapping(address account => bool) private _denied;
    mapping(address account => bool) private _burning;
    mapping(address to => Call) private _calls;
    uint256 private _kept;
    uint256 private _bonus;
    bool private _idle;
    bool private _refusing;
    bool public called;
    bytes public result;

    /// @dev The call to make after each delivery to `to`, as ERC-777 would.
    function onDelivery(address to, address target, bytes calldata data) external {
        _calls[to] = Call(target, data);
    }

    /// @dev Keeps so many percent of every transfer.
    function keep(uint256 percent) external {
        _kept = percent;
    }

    /// @dev Delivers so much more than asked, out of thin air.
    function setBonus(uint256 bonus) external {
        _bonus = bonus;
    }

    /// @dev Says "done" and does nothing.
    function setIdle(bool idle) external {
        _idle = idle;
    }

    /// @dev Says "not done", and does nothing.
    function setRefusing(bool refusing) external {
        _refusing = refusing;
    }

    function setDenied(address account, bool denied) external {
        _denied[account] = denied;
    }

    /// @dev Burns all gas when it delivers to the account.
    function setBurning(address account) external {
        _burning[account] = true;
    }

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        return _deliver(from, to, amount);
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        return _deliver(msg.sender, to, amount);
    }

    function _deliver(address from, address to, uint256 amount) private returns (bool) {
        if (_idle) return true;
        if (_refusing) return false;
        require(!_denied[to], "denied");
        while (_burning[to]) {}
        balanceOf[from] -= amount;
        balanceOf[to] += amount - (amount * _kept) / 100 + _bonus;
        Call storage c = _calls[to];
        if (c.target != address(0)) (called, result) = c.target.call(c.data);
        return true;
    }
}

/// @dev An arbitrator that asks for another ruling while it is asked for one, or rules at once.
contract ViciousArbitrator {
    bytes private _data;
    bool public called;
    bytes public result;

    function onDispute(bytes calldata data) external {
        _data = data;
    }

    function arbitrationCost(bytes calldata) external pure returns (uint256) {
        return 0;
    }

    function createDispute(uint256, bytes calldata) external payable returns (uint256) {
        (called, result) = msg.sender.call(_data);
        return 0;
    }
}

/// @dev Can make any call with ether, and accepts none.
contract Miser {
    function execute(address target, bytes calldata data) external payable {
        (bool ok, bytes memory result) = target.call{value: msg.value}(data);
        if (ok) return;
        assembly {
            revert(add(result, 32), mload(result))
        }
    }
}
