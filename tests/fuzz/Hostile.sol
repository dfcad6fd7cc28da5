// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FeedRef, IMonitoringOracle, Tally} from "../../contracts/interfaces/IMonitoringOracle.sol";
import {Cheats} from "./Cheats.sol";

/// @dev How a token treats everybody.
enum Mood {
    Honest,
    TakesFee,
    Lies,
    Reverts,
    TakesMore
}

/// @dev How a delivery to an account goes.
enum Delivery {
    Works,
    Denied,
    BurnsGas,
    Reenters,
    AnswersMegabytes
}

/// @dev All the gas there is, and no time.
function _burnGas() pure {
    assembly {
        invalid()
    }
}

/// @dev Who makes and books the calls from within deliveries that may get through.
interface IHost {
    function reenter(address target, bytes calldata data) external;
}

/// @dev A token that does whatever a campaign tells it to, and remembers whether a call from within a delivery got through.
contract FuzzToken {
    mapping(address account => uint256) public balanceOf;
    mapping(address account => mapping(address spender => uint256)) public allowance;
    mapping(address account => Delivery) public deliveryTo;
    Mood public mood;
    bool public reentered;

    IHost private immutable _host = IHost(msg.sender);
    address private _target;
    bytes private _data;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function setMood(Mood mood_) external {
        mood = mood_;
    }

    function setDelivery(address to, Delivery delivery) external {
        deliveryTo[to] = delivery;
    }

    /// @dev The call to make from within deliveries to accounts that re-enter.
    function setReentry(address target, bytes calldata data) external {
        (_target, _data) = (target, data);
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        return _move(from, to, amount);
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        if (mood == Mood.TakesMore && balanceOf[msg.sender] > amount) --balanceOf[msg.sender];
        _move(msg.sender, to, amount);
        if (deliveryTo[to] != Delivery.AnswersMegabytes) return true;
        assembly {
            return(0, 100000)
        }
    }

    function _move(address from, address to, uint256 amount) private returns (bool) {
        require(mood != Mood.Reverts, "token reverts");
        if (mood == Mood.Lies) return true;
        Delivery delivery = deliveryTo[to];
        require(delivery != Delivery.Denied, "denied");
        if (delivery == Delivery.BurnsGas) _burnGas();
        balanceOf[from] -= amount;
        balanceOf[to] += mood == Mood.TakesFee ? amount - amount / 100 : amount;
        if (delivery == Delivery.Reenters) _reenter(from);
        return true;
    }

    /// @dev From within the same contract nothing may get through; court and escrow have a lock each.
    function _reenter(address from) private {
        if (from != _target) {
            try _host.reenter(_target, _data) {} catch {}
            return;
        }
        (bool ok, ) = _target.call(_data);
        if (ok) reentered = true;
    }
}

/// @dev Passes questions on to the real oracle, unless it is told to fail.
contract FuzzOracle {
    enum Mode {
        Honest,
        Reverts,
        BurnsGas,
        Nonsense,
        AllBad
    }

    IMonitoringOracle private immutable _oracle;
    Mode public mode;

    constructor(IMonitoringOracle oracle) {
        _oracle = oracle;
    }

    function setMode(Mode mode_) external {
        mode = mode_;
    }

    function tally(FeedRef calldata feed, uint32 window) external view returns (Tally memory t) {
        t = _oracle.tally(feed, window);
        require(mode != Mode.Reverts, "oracle reverts");
        if (mode == Mode.BurnsGas) _burnGas();
        if (mode == Mode.Nonsense) (t.bad, t.unknown) = (t.judged + 1, type(uint32).max);
        if (mode == Mode.AllBad) {
            (t.judged, t.bad, t.longestRun) = (t.planned, t.planned, t.planned);
            (t.unknown, t.notApplicable, t.deviation) = (0, 0, 0);
        }
    }

    fallback(bytes calldata data) external returns (bytes memory) {
        (bool ok, bytes memory answer) = address(_oracle).call(data);
        require(ok, "oracle");
        return answer;
    }
}

/// @dev A party that is a contract: its owner's signature is its own (ERC-1271).
contract FuzzWallet is Cheats {
    address private immutable _owner;

    constructor(address owner) {
        _owner = owner;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        (bytes32 r, bytes32 vs) = abi.decode(signature, (bytes32, bytes32));
        uint8 v = uint8(uint256(vs) >> 255) + 27;
        bytes32 s = bytes32((uint256(vs) << 1) >> 1);
        return ecrecover(digest, v, r, s) == _owner ? this.isValidSignature.selector : bytes4(0);
    }
}
