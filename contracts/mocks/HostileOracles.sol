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

    fallback(bytes calldata) external returns (bytes memory) {
        if (mode == Mode.Revert) revert("no answer");
        while (mode == Mode.BurnGas) {}
        return answer;
    }
}
