// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FeedRef} from "../../../contracts/interfaces/IMonitoringOracle.sol";
import {
    Combination,
    Level,
    Measure,
    Termination,
    Terms,
    Tier,
    UnknownPolicy
} from "../../../contracts/interfaces/ISLAEscrow.sol";
import {Measurement} from "../../../contracts/libraries/MeasurementLib.sol";
import {Scope} from "../../../contracts/libraries/ScopeLib.sol";
import {TermsLib} from "../../../contracts/libraries/TermsLib.sol";
import {Cheats} from "../Cheats.sol";

/// @dev The library takes calldata.
contract HashHarness {
    /// @return result The hash.
    /// @return beside Whether what stood in the memory is still there.
    function hash(Terms calldata terms) external pure returns (bytes32 result, bool beside) {
        bytes memory before = abi.encodePacked(type(uint256).max);
        result = TermsLib.hash(terms);
        beside = before.length == 32 && bytes32(before) == bytes32(type(uint256).max);
    }

    function hashOf(Termination calldata termination) external pure returns (bytes32) {
        return TermsLib.hash(termination);
    }
}

/// @notice Hashes of terms against EIP-712 in plain Solidity: each struct in memory, member by member.
contract HashesTest is Cheats {
    string private constant FEED = "FeedRef(bytes32 panel,uint256 measurement,uint256 scope,bytes32 descriptor)";
    string private constant TIER = "Tier(uint8 measure,uint32 limit,uint16 credit)";
    string private constant LEVEL =
        "Level(FeedRef feed,Tier[] tiers,uint16 creditPerBadInterval,bool removeNotApplicable)";
    string private constant TERMS =
        "Terms(address provider,address consumer,address token,address oracle,bytes32 previous,uint40 start,"
        "uint40 openBy,uint128 feePerWindow,uint16 windows,uint16 prepaidWindows,uint128 bond,Level[] levels,"
        "uint8 combination,uint16 creditCap,uint8 unknownPolicy,uint32 unknownLimit,uint16 unknownCredit,"
        "address arbiter,uint32 challengePeriod,uint128 disputeDeposit,uint16 breachesToEnd,"
        "uint32 noticePeriod,bytes32 document,bytes32 salt)";

    HashHarness private _harness = new HashHarness();

    function testFuzz_terms(uint256 seed) external view {
        Terms memory t = _terms(seed);
        (bytes32 got, bool beside) = _harness.hash(t);
        check(got == _hash(t), "hash of terms");
        check(beside, "memory beside it");
    }

    function testFuzz_termination(bytes32 agreement, uint16 window, uint128 amount, uint40 until) external view {
        bytes32 kind = keccak256("Termination(bytes32 agreement,uint16 window,uint128 toProvider,uint40 validUntil)");
        bytes32 wanted = keccak256(abi.encode(kind, agreement, window, amount, until));
        check(_harness.hashOf(Termination(agreement, window, amount, until)) == wanted, "hash of a termination");
    }

    /// @dev Rule 21: whatever bit of a member is changed, those its type does not have included, the hash is another. (The words that say
    /// where something is to be found are no members.)
    function testFuzz_every_bit(uint256 seed, uint256 place, uint8 bit) external view {
        Terms memory t = _terms(seed);
        // One level with one tier, so that the places are known: 24 words, number and place of the levels, 7 words, number of tiers.
        Level[] memory levels = new Level[](1);
        (levels[0].feed, levels[0].tiers) = (t.levels.length == 0 ? levels[0].feed : t.levels[0].feed, new Tier[](1));
        t.levels = levels;
        bytes memory data = abi.encodeCall(HashHarness.hash, (t));
        uint256[32] memory members;
        uint256 size = 0;
        for (uint256 word = 0; word < 37; ++word) {
            // Levels' place, their number and offsets, the tiers' place and number.
            if (word != 11 && word != 24 && word != 25 && word != 30 && word != 33) members[size++] = word;
        }
        same(size, 32, "members");
        uint256 at = 4 + 32 + 32 * members[place % 32] + 31 - bit / 8;
        data[at] ^= bytes1(uint8(1 << (bit % 8)));
        (bool success, bytes memory answer) = address(_harness).staticcall(data);
        check(success, "whatever it says, it has a hash");
        check(abi.decode(answer, (bytes32)) != _hash(t), "another hash");
    }

    function _hash(Terms memory t) private pure returns (bytes32) {
        bytes32[] memory levels = new bytes32[](t.levels.length);
        for (uint256 i = 0; i < levels.length; ++i) levels[i] = _hash(t.levels[i]);
        bytes memory parties = abi.encode(
            keccak256(bytes(string.concat(TERMS, FEED, LEVEL, TIER))),
            t.provider,
            t.consumer,
            t.token,
            t.oracle,
            t.previous,
            t.start,
            t.openBy
        );
        bytes memory money = abi.encode(
            t.feePerWindow,
            t.windows,
            t.prepaidWindows,
            t.bond,
            keccak256(abi.encodePacked(levels)),
            uint8(t.combination),
            t.creditCap,
            uint8(t.unknownPolicy),
            t.unknownLimit,
            t.unknownCredit
        );
        bytes memory rest = abi.encode(
            t.arbiter,
            t.challengePeriod,
            t.disputeDeposit,
            t.breachesToEnd,
            t.noticePeriod,
            t.document,
            t.salt
        );
        return keccak256(bytes.concat(parties, money, rest));
    }

    function _hash(Level memory level) private pure returns (bytes32) {
        bytes32[] memory tiers = new bytes32[](level.tiers.length);
        for (uint256 i = 0; i < tiers.length; ++i) {
            Tier memory tier = level.tiers[i];
            tiers[i] = keccak256(abi.encode(keccak256(bytes(TIER)), uint8(tier.measure), tier.limit, tier.credit));
        }
        FeedRef memory feed = level.feed;
        bytes32 feedHash = keccak256(
            abi.encode(keccak256(bytes(FEED)), feed.panel, feed.measurement, feed.scope, feed.descriptor)
        );
        bytes32 kind = keccak256(bytes(string.concat(LEVEL, FEED, TIER)));
        bytes32 tiersHash = keccak256(abi.encodePacked(tiers));
        return keccak256(abi.encode(kind, feedHash, tiersHash, level.creditPerBadInterval, level.removeNotApplicable));
    }

    // RANDOM TERMS

    function _terms(uint256 seed) private pure returns (Terms memory t) {
        (t.provider, t.consumer) = (_address(seed, 1), _address(seed, 2));
        (t.token, t.oracle, t.arbiter) = (_address(seed, 3), _address(seed, 4), _address(seed, 5));
        (t.previous, t.document, t.salt) = (_word(seed, 6), _word(seed, 7), _word(seed, 8));
        (t.start, t.openBy) = (uint40(mix(seed, 9)), uint40(mix(seed, 10)));
        (t.feePerWindow, t.bond, t.disputeDeposit) = (uint128(mix(seed, 11)), uint128(mix(seed, 12)), uint128(mix(seed, 13)));
        (t.windows, t.prepaidWindows) = (uint16(mix(seed, 14)), uint16(mix(seed, 15)));
        (t.combination, t.unknownPolicy) = (Combination(mix(seed, 16) % 2), UnknownPolicy(mix(seed, 17) % 3));
        (t.creditCap, t.unknownCredit, t.breachesToEnd) = (uint16(mix(seed, 18)), uint16(mix(seed, 19)), uint16(mix(seed, 20)));
        (t.unknownLimit, t.challengePeriod, t.noticePeriod) = (uint32(mix(seed, 21)), uint32(mix(seed, 22)), uint32(mix(seed, 23)));
        t.levels = new Level[](mix(seed, 24) % 9);
        for (uint256 i = 0; i < t.levels.length; ++i) t.levels[i] = _level(mix(seed, 30 + i));
    }

    function _level(uint256 seed) private pure returns (Level memory level) {
        level.feed = FeedRef(_word(seed, 1), Measurement.wrap(mix(seed, 2)), Scope.wrap(mix(seed, 3)), _word(seed, 4));
        level.tiers = new Tier[](mix(seed, 5) % 9);
        for (uint256 i = 0; i < level.tiers.length; ++i) {
            uint256 own = mix(seed, 10 + i);
            level.tiers[i] = Tier(Measure(own % 4), uint32(mix(own, 1)), uint16(mix(own, 2)));
        }
        level.creditPerBadInterval = uint16(mix(seed, 6));
        level.removeNotApplicable = mix(seed, 7) % 2 == 0;
    }

    function _address(uint256 seed, uint256 n) private pure returns (address) {
        return address(uint160(mix(seed, n)));
    }

    function _word(uint256 seed, uint256 n) private pure returns (bytes32) {
        return bytes32(mix(seed, n));
    }
}
