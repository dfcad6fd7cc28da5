// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

interface IToken {
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
}

/// @dev An escrow that takes what it is told to from whoever calls it, whatever the call; before, it makes a call of the test's choice.
contract HostileEscrow {
    address private _token;
    uint256 private _amount;
    address private _target;
    bytes private _data;
    bytes4 private _question;
    bytes32 private _answer;
    bool public called;
    bytes public result;

    /// @dev What to answer to one view.
    function answer(bytes4 question, bytes32 answer_) external {
        (_question, _answer) = (question, answer_);
    }

    function take(address token, uint256 amount) external {
        (_token, _amount) = (token, amount);
    }

    function onCall(address target, bytes calldata data) external {
        (_target, _data) = (target, data);
    }

    fallback() external {
        bytes32 known = _answer;
        if (msg.sig == _question) {
            assembly {
                mstore(0, known)
                return(0, 32)
            }
        }
        if (_target != address(0)) (called, result) = _target.call(_data);
        if (_amount != 0) IToken(_token).transferFrom(msg.sender, address(this), _amount);
        assembly {
            mstore(0, 1)
            return(0, 32)
        }
    }
}

/// @dev A token without permits that counts down every allowance.
contract PlainToken {
    mapping(address account => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function setAllowance(address owner, address spender, uint256 amount) external {
        allowance[owner][spender] = amount;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        return true;
    }
}

/// @dev Answers, fails, or burns gas, as its caller says; and remembers who called.
contract Target {
    uint256 public calls;
    address public caller;

    function touch(uint256 value) external returns (uint256) {
        (calls, caller) = (calls + 1, msg.sender);
        return value;
    }

    function say(uint256 length, bool fail) external {
        ++calls;
        assembly {
            calldatacopy(0, 0, 4)
            if fail {
                revert(0, length)
            }
            return(0, length)
        }
    }

    function gasGiven() external view returns (uint256) {
        return gasleft();
    }

    /// @dev Fails with so many zeros, when nearly all its gas is gone.
    function burnAndSay(uint256 length) external view {
        uint256 last = length / 8 + 2_000;
        assembly {
            // In steps that are few enough to be traced.
            for {} gt(gas(), 16000) {} {
                pop(keccak256(0x80, 0x8000))
            }
            for {} gt(gas(), last) {} {
                pop(keccak256(0x80, 0x400))
            }
            revert(0x80, length)
        }
    }

    function burn() external pure {
        assembly {
            invalid()
        }
    }
}

/// @dev Burns all gas, whatever it is asked.
contract GasBurner {
    fallback() external {
        assembly {
            invalid()
        }
    }
}

/// @dev Makes a call of the test's choice whenever it delivers to a listed account.
contract CallingToken {
    struct Call {
        address target;
        bytes data;
    }

    mapping(address account => uint256) public balanceOf;
    mapping(address to => Call) private _calls;
    bool public called;
    bytes public result;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

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
        return true;
    }

    function _deliver(address from, address to, uint256 amount) private {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        Call storage c = _calls[to];
        if (c.target != address(0)) (called, result) = c.target.call(c.data);
    }
}
