// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Months of the Gregorian calendar, in UTC (rule 25)
/// @notice Months are numbered from March of the year 0, so that a leap day is the last of its year. After Howard Hinnant's
/// "chrono-Compatible Low-Level Date Algorithms": eras are 400 years, 146,097 days.
library CalendarLib {
    /// @dev From March 1 of the year 0 to January 1, 1970 [days].
    uint256 private constant EPOCH = 719_468;
    uint256 private constant ERA_DAYS = 146_097;

    /// @notice The month that holds a time.
    /// @param time [s, UNIX time], below 2^64.
    function monthOf(uint256 time) internal pure returns (uint256 month) {
        unchecked {
            uint256 day = time / 1 days + EPOCH;
            uint256 era = day / ERA_DAYS;
            uint256 dayOfEra = day % ERA_DAYS;
            uint256 yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365;
            uint256 dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
            return (era * 400 + yearOfEra) * 12 + (5 * dayOfYear + 2) / 153;
        }
    }

    /// @notice When a month begins, and the one before ends [s, UNIX time].
    /// @param month From January 1970 on, below 2^64.
    function startOf(uint256 month) internal pure returns (uint256 time) {
        unchecked {
            uint256 year = month / 12;
            uint256 yearOfEra = year % 400;
            uint256 dayOfYear = (153 * (month % 12) + 2) / 5;
            uint256 dayOfEra = 365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
            return ((year / 400) * ERA_DAYS + dayOfEra - EPOCH) * 1 days;
        }
    }
}
