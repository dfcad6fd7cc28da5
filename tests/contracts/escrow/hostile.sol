// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev The least a token needs, and what no honest one does: it makes a call of the test's choice whenever it delivers to a
/// listed account, delivers `bonus` more than it was asked to, and answers with as many bytes as it is told.
contract CallingToken {
    struct Call {
        address target;
        bytes data;
    }

    mapping(address account => uint256) public balanceOf;
    mapping(address to => Call) private _calls;
    uint256 private _bonus;
    uint256 private _answerLength = 32;
    bool public called;
    bytes public result;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function setBonus(uint256 bonus) external {
        _bonus = bonus;
    }

    function setAnswerLength(uint256 length) external {
        _answerLength = length;
    }

    /// @dev The call to make after a delivery to `to`.
    function onDelivery(address to, address target, bytes calldata data) external {
        _calls[to] = Call(target, data);
    }

    function approve(address, uint256) external pure returns (bool) {
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        _deliver(from, to, amount);
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _deliver(msg.sender, to, amount);
        uint256 length = _answerLength;
        assembly {
            mstore(0, 1)
            return(0, length)
        }
    }

    function _deliver(address from, address to, uint256 amount) private {
        balanceOf[from] -= amount;
        balanceOf[to] += amount + _bonus;
        Call storage c = _calls[to];
        if (c.target != address(0)) (called, result) = c.target.call(c.data);
    }
}

/// @dev Answers with the bytes it was given, or reverts with them.
contract RevertingOracle {
    bool private _reverting;
    bytes private _answer;

    function set(bool reverting, bytes calldata answer) external {
        (_reverting, _answer) = (reverting, answer);
    }

    fallback() external {
        bytes memory answer = _answer;
        bool reverting = _reverting;
        assembly {
            if reverting {
                revert(add(answer, 32), mload(answer))
            }
            return(add(answer, 32), mload(answer))
        }
    }
}

/// @dev Tries every door of a contract, and counts those that do not answer that they are locked.
contract Intruder {
    address private _target;
    bytes4[] private _doors;
    uint128 public tried;
    uint128 public unlocked;

    function arm(address target, bytes4[] calldata doors) external {
        (_target, _doors, tried, unlocked) = (target, doors, 0, 0);
    }

    /// @dev Each door is given nothing but zeros: decoded as offsets, they point to zeros.
    function intrude() external {
        bytes memory data = new bytes(1_028);
        bytes4[] memory doors = _doors;
        address target = _target;
        uint128 open;
        for (uint256 i = 0; i < doors.length; ++i) {
            bytes4 door = doors[i];
            assembly {
                mstore(add(data, 32), door)
            }
            (bool success, bytes memory answer) = target.call(data);
            bytes4 locked = bytes4(keccak256("ReentrancyGuardReentrantCall()"));
            if (success || answer.length != 4 || bytes4(answer) != locked) ++open;
        }
        (tried, unlocked) = (tried + uint128(doors.length), unlocked + open);
    }
}
