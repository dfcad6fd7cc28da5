"""What the vendors pay that average error rates, worked out by hand.

"Uptime = 100 % - average of the error rates of all periods", so a month of 30 days has 8,640 periods of five minutes, or 720 hours, and each
counts the same. A case holds the rates of its bad periods in millionths, so 1,000,000 is a total failure; all others had none. The credit is due
if the sum of the rates is strictly larger than (limit in millionths) x (number of periods).
"""

from __future__ import annotations

from typing import NamedTuple

ALL = 1_000_000


class Rates(NamedTuple):
    """:param rates: (how many periods, error rate of each in millionths); credit in % of the fee."""

    days: int
    rates: tuple[tuple[int, int], ...]
    credit: int


RATES: dict[str, tuple[Rates, ...]] = {
    "aws-s3-standard": (  # above 0.1 % 10 %, above 1 % 25 %, above 5 % 100 %
        # 28 days: 8,064 periods x 1,000 = 8,064,000
        Rates(28, ((8, ALL),), 0),  # 8,000,000
        Rates(28, ((9, ALL),), 10),  # 9,000,000
        Rates(28, ((8, ALL), (64, 1_000)), 0),  # 8,000,000 + 64,000 = 8,064,000, exactly 0.1 %
        Rates(28, ((8, ALL), (64, 1_000), (1, 1)), 10),  # 8,064,001
        # 30 days: 8,640 x 1,000 = 8,640,000
        Rates(30, ((864, 10_000),), 0),  # 8,640,000: exactly
        Rates(30, ((864, 10_000), (1, 1)), 10),  # 8,640,001
        # 31 days: 8,928 x 1,000 = 8,928,000, x 10,000 = 89,280,000, x 50,000 = 446,400,000
        Rates(31, ((8, ALL),), 0),  # 8,000,000
        Rates(31, ((9, ALL),), 10),  # 9,000,000
        Rates(31, ((89, ALL),), 10),  # 89,000,000
        Rates(31, ((90, ALL),), 25),  # 90,000,000
        Rates(31, ((446, ALL), (1, 400_000)), 25),  # 446,400,000: exactly 5 %
        Rates(31, ((447, ALL),), 100),  # 447,000,000
        # Every period of a month of 30 days a little bad: 8,640 x 1,000 and one more.
        Rates(30, ((8_639, 1_000), (1, 1_001)), 10),  # 8,640,001
    ),
    "aws-s3-ia": (  # above 1 % 10 %, above 2 % 25 %, above 5 % 100 %
        # 28 days: 8,064 x 10,000 = 80,640,000, x 20,000 = 161,280,000, x 50,000 = 403,200,000
        Rates(28, ((80, ALL), (1, 640_000)), 0),  # 80,640,000: exactly 1 %
        Rates(28, ((80, ALL), (1, 640_001)), 10),
        Rates(28, ((161, ALL), (1, 280_000)), 10),  # 161,280,000: exactly 2 %
        Rates(28, ((162, ALL),), 25),
        # 31 days: 8,928 x 50,000 = 446,400,000
        Rates(31, ((446, ALL),), 25),
        Rates(31, ((447, ALL),), 100),
        # 30 days: 8,640 x 10,000 = 86,400,000
        Rates(30, ((86, ALL),), 0),
        Rates(30, ((87, ALL),), 10),
    ),
    "azure-storage-hot": (  # uptime below 99.9 % 10 %, below 99 % 25 %
        # 28 days: 672 hours x 1,000 = 672,000
        Rates(28, ((1, 672_000),), 0),  # exactly 99.9 %
        Rates(28, ((1, 672_001),), 10),
        # 31 days: 744 x 10,000 = 7,440,000
        Rates(31, ((7, ALL), (1, 440_000)), 10),  # exactly 99 %
        Rates(31, ((8, ALL),), 25),
        # 30 days: 720 x 1,000 = 720,000. One hour of a quiet night is enough.
        Rates(30, ((1, ALL),), 10),
        Rates(30, ((720, 1_000),), 0),
        Rates(30, ((719, 1_000), (1, 1_001)), 10),
    ),
    "azure-storage-hot-ra": (  # uptime below 99.99 % 10 %, below 99 % 25 %
        Rates(28, ((1, 67_200),), 0),  # 672 x 100 = 67,200: exactly
        Rates(28, ((1, 67_201),), 10),
        Rates(31, ((7, ALL),), 10),  # 744 x 10,000 = 7,440,000
        Rates(31, ((8, ALL),), 25),
        Rates(30, ((1, 72_000),), 0),  # 720 x 100 = 72,000: exactly
        Rates(30, ((2, 36_001),), 10),
    ),
    "azure-storage-cool": (  # uptime below 99 % 10 %, below 98 % 25 %
        Rates(28, ((6, ALL), (1, 720_000)), 0),  # 672 x 10,000 = 6,720,000: exactly
        Rates(28, ((7, ALL),), 10),
        Rates(31, ((14, ALL), (1, 880_000)), 10),  # 744 x 20,000 = 14,880,000: exactly 98 %
        Rates(31, ((15, ALL),), 25),
        Rates(30, ((7, ALL),), 0),  # 720 x 10,000 = 7,200,000
        Rates(30, ((8, ALL),), 10),
    ),
    "azure-storage-cool-ra": (  # uptime below 99.9 % 10 %, below 98 % 25 %
        Rates(28, ((1, 672_000),), 0),  # 672 x 1,000 = 672,000: exactly
        Rates(28, ((1, 673_000),), 10),
        Rates(31, ((14, ALL),), 10),  # 744 x 20,000 = 14,880,000
        Rates(31, ((15, ALL),), 25),
        Rates(30, ((1, 720_000),), 0),  # 720 x 1,000: exactly
        Rates(30, ((1, 720_001),), 10),
    ),
    "gcp-storage-multi-region": (  # above 0.05 % 10 %, above 1 % 25 %, above 5 % 50 %
        # 28 days: 8,064 x 500 = 4,032,000
        Rates(28, ((4, ALL), (1, 32_000)), 0),  # exactly
        Rates(28, ((5, ALL),), 10),
        # 31 days: 8,928 x 10,000 = 89,280,000, x 50,000 = 446,400,000
        Rates(31, ((89, ALL),), 10),
        Rates(31, ((90, ALL),), 25),
        Rates(31, ((446, ALL),), 25),
        Rates(31, ((447, ALL),), 50),
        # 30 days: 8,640 x 500 = 4,320,000. Half a month of total failure costs no more than half of the fee.
        Rates(30, ((4_320, ALL),), 50),
        Rates(30, ((4_320, 1_000),), 0),  # 4,320,000: exactly
        Rates(30, ((4_320, 1_000), (1, 1)), 10),
    ),
    "gcp-storage-region": (  # above 0.1 % 10 %, above 1 % 25 %, above 5 % 50 %
        Rates(28, ((8, ALL),), 0),  # 8,064 x 1,000 = 8,064,000
        Rates(28, ((9, ALL),), 10),
        Rates(31, ((90, ALL),), 25),  # 8,928 x 10,000 = 89,280,000
        Rates(31, ((447, ALL),), 50),  # 8,928 x 50,000 = 446,400,000
        Rates(30, ((864, 10_000),), 0),  # 8,640 x 1,000 = 8,640,000: exactly
        Rates(30, ((864, 10_001),), 10),
    ),
    "gcp-storage-cold-region": (  # above 1 % 10 %, above 5 % 50 %
        Rates(28, ((80, ALL),), 0),  # 8,064 x 10,000 = 80,640,000
        Rates(28, ((81, ALL),), 10),
        Rates(31, ((446, ALL),), 10),  # 8,928 x 50,000 = 446,400,000
        Rates(31, ((447, ALL),), 50),
        Rates(30, ((86, ALL), (1, 400_000)), 0),  # 8,640 x 10,000 = 86,400,000: exactly
        Rates(30, ((87, ALL),), 10),
    ),
}
