// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @dev Answers every call with bytes that a test chooses, or fails in a way that it chooses.
contract ScriptedOracle {
    enum Mode {
        Answer,
        Revert,
        BurnGas
    }

    Mode public mode;
    bytes public answer;

    function script(Mode mode_, bytes calldata answer_) external {
        mode = mode_;
        answer = answer_;
    }

    fallback(bytes calldata) external virtual returns (bytes memory) {
        if (mode == Mode.Revert) revert("no answer");
        while (mode == Mode.BurnGas) {}
        return answer;
    }
}

/// @dev Fails at once, unless it is given a lot of gas. Who calls it with less has most of that left.
contract DearOracle is ScriptedOracle {
    fallback(bytes calldata) external override returns (bytes memory) {
        require(gasleft() > 80_000, "more gas");
        return answer;
    }
}
