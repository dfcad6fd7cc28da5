"""What each vendor's own formula pays, worked out by hand: minutes of a month, and minutes in which the service was down.

"Availability = (minutes of the month - minutes down) / minutes of the month, and the credit is due strictly below the limit." 28 days have
40,320 minutes, 30 have 43,200, 31 have 44,640. Each limit has a case on either side; "=" marks those that meet it exactly.
"""

from __future__ import annotations

from typing import NamedTuple


class Minutes(NamedTuple):
    """A month of so many days in which the service was wholly down for so many minutes; its credit [% of the fee]."""

    days: int
    bad: int
    credit: int


MINUTES: dict[str, tuple[Minutes, ...]] = {
    "aws-ec2-region": (
        Minutes(28, bad=4, credit=0),  # 40,316 of 40,320 are 99.990079 % > 99.99 %
        Minutes(28, bad=5, credit=10),  # 40,315 of 40,320 are 99.987599 % < 99.99 %
        Minutes(30, bad=4, credit=0),  # 43,196 of 43,200 are 99.990741 % > 99.99 %
        Minutes(30, bad=5, credit=10),  # 43,195 of 43,200 are 99.988426 % < 99.99 %
        Minutes(31, bad=4, credit=0),  # 44,636 of 44,640 are 99.991039 % > 99.99 %
        Minutes(31, bad=5, credit=10),  # 44,635 of 44,640 are 99.988799 % < 99.99 %
        Minutes(28, bad=403, credit=10),  # 39,917 of 40,320 are 99.000496 % > 99 %
        Minutes(28, bad=404, credit=30),  # 39,916 of 40,320 are 98.998016 % < 99 %
        Minutes(30, bad=432, credit=10),  # 42,768 of 43,200 are 99 % = 99 %
        Minutes(30, bad=433, credit=30),  # 42,767 of 43,200 are 98.997685 % < 99 %
        Minutes(31, bad=446, credit=10),  # 44,194 of 44,640 are 99.000896 % > 99 %
        Minutes(31, bad=447, credit=30),  # 44,193 of 44,640 are 98.998656 % < 99 %
        Minutes(28, bad=2016, credit=30),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=100),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=30),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=100),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=30),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=100),  # 42,407 of 44,640 are 94.99776 % < 95 %
    ),
    "aws-ec2-instance": (
        Minutes(28, bad=201, credit=0),  # 40,119 of 40,320 are 99.501488 % > 99.5 %
        Minutes(28, bad=202, credit=10),  # 40,118 of 40,320 are 99.499008 % < 99.5 %
        Minutes(30, bad=216, credit=0),  # 42,984 of 43,200 are 99.5 % = 99.5 %
        Minutes(30, bad=217, credit=10),  # 42,983 of 43,200 are 99.497685 % < 99.5 %
        Minutes(31, bad=223, credit=0),  # 44,417 of 44,640 are 99.500448 % > 99.5 %
        Minutes(31, bad=224, credit=10),  # 44,416 of 44,640 are 99.498208 % < 99.5 %
        Minutes(28, bad=403, credit=10),  # 39,917 of 40,320 are 99.000496 % > 99 %
        Minutes(28, bad=404, credit=30),  # 39,916 of 40,320 are 98.998016 % < 99 %
        Minutes(30, bad=432, credit=10),  # 42,768 of 43,200 are 99 % = 99 %
        Minutes(30, bad=433, credit=30),  # 42,767 of 43,200 are 98.997685 % < 99 %
        Minutes(31, bad=446, credit=10),  # 44,194 of 44,640 are 99.000896 % > 99 %
        Minutes(31, bad=447, credit=30),  # 44,193 of 44,640 are 98.998656 % < 99 %
        Minutes(28, bad=2016, credit=30),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=100),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=30),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=100),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=30),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=100),  # 42,407 of 44,640 are 94.99776 % < 95 %
    ),
    "aws-ebs": (
        Minutes(28, bad=40, credit=0),  # 40,280 of 40,320 are 99.900794 % > 99.9 %
        Minutes(28, bad=41, credit=10),  # 40,279 of 40,320 are 99.898313 % < 99.9 %
        Minutes(30, bad=43, credit=0),  # 43,157 of 43,200 are 99.900463 % > 99.9 %
        Minutes(30, bad=44, credit=10),  # 43,156 of 43,200 are 99.898148 % < 99.9 %
        Minutes(31, bad=44, credit=0),  # 44,596 of 44,640 are 99.901434 % > 99.9 %
        Minutes(31, bad=45, credit=10),  # 44,595 of 44,640 are 99.899194 % < 99.9 %
        Minutes(28, bad=403, credit=10),  # 39,917 of 40,320 are 99.000496 % > 99 %
        Minutes(28, bad=404, credit=30),  # 39,916 of 40,320 are 98.998016 % < 99 %
        Minutes(30, bad=432, credit=10),  # 42,768 of 43,200 are 99 % = 99 %
        Minutes(30, bad=433, credit=30),  # 42,767 of 43,200 are 98.997685 % < 99 %
        Minutes(31, bad=446, credit=10),  # 44,194 of 44,640 are 99.000896 % > 99 %
        Minutes(31, bad=447, credit=30),  # 44,193 of 44,640 are 98.998656 % < 99 %
        Minutes(28, bad=2016, credit=30),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=100),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=30),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=100),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=30),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=100),  # 42,407 of 44,640 are 94.99776 % < 95 %
    ),
    "aws-ebs-region": (
        Minutes(28, bad=4, credit=0),  # 40,316 of 40,320 are 99.990079 % > 99.99 %
        Minutes(28, bad=5, credit=10),  # 40,315 of 40,320 are 99.987599 % < 99.99 %
        Minutes(30, bad=4, credit=0),  # 43,196 of 43,200 are 99.990741 % > 99.99 %
        Minutes(30, bad=5, credit=10),  # 43,195 of 43,200 are 99.988426 % < 99.99 %
        Minutes(31, bad=4, credit=0),  # 44,636 of 44,640 are 99.991039 % > 99.99 %
        Minutes(31, bad=5, credit=10),  # 44,635 of 44,640 are 99.988799 % < 99.99 %
        Minutes(28, bad=403, credit=10),  # 39,917 of 40,320 are 99.000496 % > 99 %
        Minutes(28, bad=404, credit=30),  # 39,916 of 40,320 are 98.998016 % < 99 %
        Minutes(30, bad=432, credit=10),  # 42,768 of 43,200 are 99 % = 99 %
        Minutes(30, bad=433, credit=30),  # 42,767 of 43,200 are 98.997685 % < 99 %
        Minutes(31, bad=446, credit=10),  # 44,194 of 44,640 are 99.000896 % > 99 %
        Minutes(31, bad=447, credit=30),  # 44,193 of 44,640 are 98.998656 % < 99 %
        Minutes(28, bad=2016, credit=30),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=100),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=30),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=100),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=30),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=100),  # 42,407 of 44,640 are 94.99776 % < 95 %
    ),
    "aws-rds-multi-az": (
        Minutes(28, bad=20, credit=0),  # 40,300 of 40,320 are 99.950397 % > 99.95 %
        Minutes(28, bad=21, credit=10),  # 40,299 of 40,320 are 99.947917 % < 99.95 %
        Minutes(30, bad=21, credit=0),  # 43,179 of 43,200 are 99.951389 % > 99.95 %
        Minutes(30, bad=22, credit=10),  # 43,178 of 43,200 are 99.949074 % < 99.95 %
        Minutes(31, bad=22, credit=0),  # 44,618 of 44,640 are 99.950717 % > 99.95 %
        Minutes(31, bad=23, credit=10),  # 44,617 of 44,640 are 99.948477 % < 99.95 %
        Minutes(28, bad=403, credit=10),  # 39,917 of 40,320 are 99.000496 % > 99 %
        Minutes(28, bad=404, credit=25),  # 39,916 of 40,320 are 98.998016 % < 99 %
        Minutes(30, bad=432, credit=10),  # 42,768 of 43,200 are 99 % = 99 %
        Minutes(30, bad=433, credit=25),  # 42,767 of 43,200 are 98.997685 % < 99 %
        Minutes(31, bad=446, credit=10),  # 44,194 of 44,640 are 99.000896 % > 99 %
        Minutes(31, bad=447, credit=25),  # 44,193 of 44,640 are 98.998656 % < 99 %
        Minutes(28, bad=2016, credit=25),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=100),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=25),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=100),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=25),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=100),  # 42,407 of 44,640 are 94.99776 % < 95 %
    ),
    "aws-rds-single": (
        Minutes(28, bad=201, credit=0),  # 40,119 of 40,320 are 99.501488 % > 99.5 %
        Minutes(28, bad=202, credit=10),  # 40,118 of 40,320 are 99.499008 % < 99.5 %
        Minutes(30, bad=216, credit=0),  # 42,984 of 43,200 are 99.5 % = 99.5 %
        Minutes(30, bad=217, credit=10),  # 42,983 of 43,200 are 99.497685 % < 99.5 %
        Minutes(31, bad=223, credit=0),  # 44,417 of 44,640 are 99.500448 % > 99.5 %
        Minutes(31, bad=224, credit=10),  # 44,416 of 44,640 are 99.498208 % < 99.5 %
        Minutes(28, bad=403, credit=10),  # 39,917 of 40,320 are 99.000496 % > 99 %
        Minutes(28, bad=404, credit=25),  # 39,916 of 40,320 are 98.998016 % < 99 %
        Minutes(30, bad=432, credit=10),  # 42,768 of 43,200 are 99 % = 99 %
        Minutes(30, bad=433, credit=25),  # 42,767 of 43,200 are 98.997685 % < 99 %
        Minutes(31, bad=446, credit=10),  # 44,194 of 44,640 are 99.000896 % > 99 %
        Minutes(31, bad=447, credit=25),  # 44,193 of 44,640 are 98.998656 % < 99 %
        Minutes(28, bad=2016, credit=25),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=100),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=25),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=100),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=25),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=100),  # 42,407 of 44,640 are 94.99776 % < 95 %
    ),
    "azure-vm-zones": (
        Minutes(28, bad=4, credit=0),  # 40,316 of 40,320 are 99.990079 % > 99.99 %
        Minutes(28, bad=5, credit=10),  # 40,315 of 40,320 are 99.987599 % < 99.99 %
        Minutes(30, bad=4, credit=0),  # 43,196 of 43,200 are 99.990741 % > 99.99 %
        Minutes(30, bad=5, credit=10),  # 43,195 of 43,200 are 99.988426 % < 99.99 %
        Minutes(31, bad=4, credit=0),  # 44,636 of 44,640 are 99.991039 % > 99.99 %
        Minutes(31, bad=5, credit=10),  # 44,635 of 44,640 are 99.988799 % < 99.99 %
        Minutes(28, bad=403, credit=10),  # 39,917 of 40,320 are 99.000496 % > 99 %
        Minutes(28, bad=404, credit=25),  # 39,916 of 40,320 are 98.998016 % < 99 %
        Minutes(30, bad=432, credit=10),  # 42,768 of 43,200 are 99 % = 99 %
        Minutes(30, bad=433, credit=25),  # 42,767 of 43,200 are 98.997685 % < 99 %
        Minutes(31, bad=446, credit=10),  # 44,194 of 44,640 are 99.000896 % > 99 %
        Minutes(31, bad=447, credit=25),  # 44,193 of 44,640 are 98.998656 % < 99 %
        Minutes(28, bad=2016, credit=25),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=100),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=25),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=100),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=25),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=100),  # 42,407 of 44,640 are 94.99776 % < 95 %
    ),
    "azure-vm-set": (
        Minutes(28, bad=20, credit=0),  # 40,300 of 40,320 are 99.950397 % > 99.95 %
        Minutes(28, bad=21, credit=10),  # 40,299 of 40,320 are 99.947917 % < 99.95 %
        Minutes(30, bad=21, credit=0),  # 43,179 of 43,200 are 99.951389 % > 99.95 %
        Minutes(30, bad=22, credit=10),  # 43,178 of 43,200 are 99.949074 % < 99.95 %
        Minutes(31, bad=22, credit=0),  # 44,618 of 44,640 are 99.950717 % > 99.95 %
        Minutes(31, bad=23, credit=10),  # 44,617 of 44,640 are 99.948477 % < 99.95 %
        Minutes(28, bad=403, credit=10),  # 39,917 of 40,320 are 99.000496 % > 99 %
        Minutes(28, bad=404, credit=25),  # 39,916 of 40,320 are 98.998016 % < 99 %
        Minutes(30, bad=432, credit=10),  # 42,768 of 43,200 are 99 % = 99 %
        Minutes(30, bad=433, credit=25),  # 42,767 of 43,200 are 98.997685 % < 99 %
        Minutes(31, bad=446, credit=10),  # 44,194 of 44,640 are 99.000896 % > 99 %
        Minutes(31, bad=447, credit=25),  # 44,193 of 44,640 are 98.998656 % < 99 %
        Minutes(28, bad=2016, credit=25),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=100),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=25),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=100),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=25),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=100),  # 42,407 of 44,640 are 94.99776 % < 95 %
    ),
    "azure-vm-single-premium": (
        Minutes(28, bad=40, credit=0),  # 40,280 of 40,320 are 99.900794 % > 99.9 %
        Minutes(28, bad=41, credit=10),  # 40,279 of 40,320 are 99.898313 % < 99.9 %
        Minutes(30, bad=43, credit=0),  # 43,157 of 43,200 are 99.900463 % > 99.9 %
        Minutes(30, bad=44, credit=10),  # 43,156 of 43,200 are 99.898148 % < 99.9 %
        Minutes(31, bad=44, credit=0),  # 44,596 of 44,640 are 99.901434 % > 99.9 %
        Minutes(31, bad=45, credit=10),  # 44,595 of 44,640 are 99.899194 % < 99.9 %
        Minutes(28, bad=403, credit=10),  # 39,917 of 40,320 are 99.000496 % > 99 %
        Minutes(28, bad=404, credit=25),  # 39,916 of 40,320 are 98.998016 % < 99 %
        Minutes(30, bad=432, credit=10),  # 42,768 of 43,200 are 99 % = 99 %
        Minutes(30, bad=433, credit=25),  # 42,767 of 43,200 are 98.997685 % < 99 %
        Minutes(31, bad=446, credit=10),  # 44,194 of 44,640 are 99.000896 % > 99 %
        Minutes(31, bad=447, credit=25),  # 44,193 of 44,640 are 98.998656 % < 99 %
        Minutes(28, bad=2016, credit=25),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=100),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=25),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=100),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=25),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=100),  # 42,407 of 44,640 are 94.99776 % < 95 %
    ),
    "azure-vm-single-standard-ssd": (
        Minutes(28, bad=201, credit=0),  # 40,119 of 40,320 are 99.501488 % > 99.5 %
        Minutes(28, bad=202, credit=10),  # 40,118 of 40,320 are 99.499008 % < 99.5 %
        Minutes(30, bad=216, credit=0),  # 42,984 of 43,200 are 99.5 % = 99.5 %
        Minutes(30, bad=217, credit=10),  # 42,983 of 43,200 are 99.497685 % < 99.5 %
        Minutes(31, bad=223, credit=0),  # 44,417 of 44,640 are 99.500448 % > 99.5 %
        Minutes(31, bad=224, credit=10),  # 44,416 of 44,640 are 99.498208 % < 99.5 %
        Minutes(28, bad=2016, credit=10),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=25),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=10),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=25),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=10),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=25),  # 42,407 of 44,640 are 94.99776 % < 95 %
        Minutes(28, bad=4032, credit=25),  # 36,288 of 40,320 are 90 % = 90 %
        Minutes(28, bad=4033, credit=100),  # 36,287 of 40,320 are 89.99752 % < 90 %
        Minutes(30, bad=4320, credit=25),  # 38,880 of 43,200 are 90 % = 90 %
        Minutes(30, bad=4321, credit=100),  # 38,879 of 43,200 are 89.997685 % < 90 %
        Minutes(31, bad=4464, credit=25),  # 40,176 of 44,640 are 90 % = 90 %
        Minutes(31, bad=4465, credit=100),  # 40,175 of 44,640 are 89.99776 % < 90 %
    ),
    "azure-vm-single-hdd": (
        Minutes(28, bad=2016, credit=0),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=10),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=0),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=10),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=0),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=10),  # 42,407 of 44,640 are 94.99776 % < 95 %
        Minutes(28, bad=3225, credit=10),  # 37,095 of 40,320 are 92.001488 % > 92 %
        Minutes(28, bad=3226, credit=25),  # 37,094 of 40,320 are 91.999008 % < 92 %
        Minutes(30, bad=3456, credit=10),  # 39,744 of 43,200 are 92 % = 92 %
        Minutes(30, bad=3457, credit=25),  # 39,743 of 43,200 are 91.997685 % < 92 %
        Minutes(31, bad=3571, credit=10),  # 41,069 of 44,640 are 92.000448 % > 92 %
        Minutes(31, bad=3572, credit=25),  # 41,068 of 44,640 are 91.998208 % < 92 %
        Minutes(28, bad=4032, credit=25),  # 36,288 of 40,320 are 90 % = 90 %
        Minutes(28, bad=4033, credit=100),  # 36,287 of 40,320 are 89.99752 % < 90 %
        Minutes(30, bad=4320, credit=25),  # 38,880 of 43,200 are 90 % = 90 %
        Minutes(30, bad=4321, credit=100),  # 38,879 of 43,200 are 89.997685 % < 90 %
        Minutes(31, bad=4464, credit=25),  # 40,176 of 44,640 are 90 % = 90 %
        Minutes(31, bad=4465, credit=100),  # 40,175 of 44,640 are 89.99776 % < 90 %
    ),
    "azure-sql": (
        Minutes(28, bad=4, credit=0),  # 40,316 of 40,320 are 99.990079 % > 99.99 %
        Minutes(28, bad=5, credit=10),  # 40,315 of 40,320 are 99.987599 % < 99.99 %
        Minutes(30, bad=4, credit=0),  # 43,196 of 43,200 are 99.990741 % > 99.99 %
        Minutes(30, bad=5, credit=10),  # 43,195 of 43,200 are 99.988426 % < 99.99 %
        Minutes(31, bad=4, credit=0),  # 44,636 of 44,640 are 99.991039 % > 99.99 %
        Minutes(31, bad=5, credit=10),  # 44,635 of 44,640 are 99.988799 % < 99.99 %
        Minutes(28, bad=403, credit=10),  # 39,917 of 40,320 are 99.000496 % > 99 %
        Minutes(28, bad=404, credit=25),  # 39,916 of 40,320 are 98.998016 % < 99 %
        Minutes(30, bad=432, credit=10),  # 42,768 of 43,200 are 99 % = 99 %
        Minutes(30, bad=433, credit=25),  # 42,767 of 43,200 are 98.997685 % < 99 %
        Minutes(31, bad=446, credit=10),  # 44,194 of 44,640 are 99.000896 % > 99 %
        Minutes(31, bad=447, credit=25),  # 44,193 of 44,640 are 98.998656 % < 99 %
        Minutes(28, bad=2016, credit=25),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=100),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=25),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=100),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=25),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=100),  # 42,407 of 44,640 are 94.99776 % < 95 %
    ),
    "azure-sql-zone-redundant": (
        Minutes(28, bad=2, credit=0),  # 40,318 of 40,320 are 99.99504 % > 99.995 %
        Minutes(28, bad=3, credit=10),  # 40,317 of 40,320 are 99.99256 % < 99.995 %
        Minutes(30, bad=2, credit=0),  # 43,198 of 43,200 are 99.99537 % > 99.995 %
        Minutes(30, bad=3, credit=10),  # 43,197 of 43,200 are 99.993056 % < 99.995 %
        Minutes(31, bad=2, credit=0),  # 44,638 of 44,640 are 99.99552 % > 99.995 %
        Minutes(31, bad=3, credit=10),  # 44,637 of 44,640 are 99.99328 % < 99.995 %
        Minutes(28, bad=403, credit=10),  # 39,917 of 40,320 are 99.000496 % > 99 %
        Minutes(28, bad=404, credit=25),  # 39,916 of 40,320 are 98.998016 % < 99 %
        Minutes(30, bad=432, credit=10),  # 42,768 of 43,200 are 99 % = 99 %
        Minutes(30, bad=433, credit=25),  # 42,767 of 43,200 are 98.997685 % < 99 %
        Minutes(31, bad=446, credit=10),  # 44,194 of 44,640 are 99.000896 % > 99 %
        Minutes(31, bad=447, credit=25),  # 44,193 of 44,640 are 98.998656 % < 99 %
        Minutes(28, bad=2016, credit=25),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=100),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=25),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=100),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=25),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=100),  # 42,407 of 44,640 are 94.99776 % < 95 %
    ),
    "gcp-compute-multi-zone": (
        Minutes(28, bad=4, credit=0),  # 40,316 of 40,320 are 99.990079 % > 99.99 %
        Minutes(28, bad=5, credit=10),  # 40,315 of 40,320 are 99.987599 % < 99.99 %
        Minutes(30, bad=4, credit=0),  # 43,196 of 43,200 are 99.990741 % > 99.99 %
        Minutes(30, bad=5, credit=10),  # 43,195 of 43,200 are 99.988426 % < 99.99 %
        Minutes(31, bad=4, credit=0),  # 44,636 of 44,640 are 99.991039 % > 99.99 %
        Minutes(31, bad=5, credit=10),  # 44,635 of 44,640 are 99.988799 % < 99.99 %
        Minutes(28, bad=403, credit=10),  # 39,917 of 40,320 are 99.000496 % > 99 %
        Minutes(28, bad=404, credit=25),  # 39,916 of 40,320 are 98.998016 % < 99 %
        Minutes(30, bad=432, credit=10),  # 42,768 of 43,200 are 99 % = 99 %
        Minutes(30, bad=433, credit=25),  # 42,767 of 43,200 are 98.997685 % < 99 %
        Minutes(31, bad=446, credit=10),  # 44,194 of 44,640 are 99.000896 % > 99 %
        Minutes(31, bad=447, credit=25),  # 44,193 of 44,640 are 98.998656 % < 99 %
        Minutes(28, bad=2016, credit=25),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=100),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=25),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=100),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=25),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=100),  # 42,407 of 44,640 are 94.99776 % < 95 %
    ),
    "gcp-compute-single": (
        Minutes(28, bad=40, credit=0),  # 40,280 of 40,320 are 99.900794 % > 99.9 %
        Minutes(28, bad=41, credit=10),  # 40,279 of 40,320 are 99.898313 % < 99.9 %
        Minutes(30, bad=43, credit=0),  # 43,157 of 43,200 are 99.900463 % > 99.9 %
        Minutes(30, bad=44, credit=10),  # 43,156 of 43,200 are 99.898148 % < 99.9 %
        Minutes(31, bad=44, credit=0),  # 44,596 of 44,640 are 99.901434 % > 99.9 %
        Minutes(31, bad=45, credit=10),  # 44,595 of 44,640 are 99.899194 % < 99.9 %
        Minutes(28, bad=2016, credit=10),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=25),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=10),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=25),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=10),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=25),  # 42,407 of 44,640 are 94.99776 % < 95 %
        Minutes(28, bad=4032, credit=25),  # 36,288 of 40,320 are 90 % = 90 %
        Minutes(28, bad=4033, credit=100),  # 36,287 of 40,320 are 89.99752 % < 90 %
        Minutes(30, bad=4320, credit=25),  # 38,880 of 43,200 are 90 % = 90 %
        Minutes(30, bad=4321, credit=100),  # 38,879 of 43,200 are 89.997685 % < 90 %
        Minutes(31, bad=4464, credit=25),  # 40,176 of 44,640 are 90 % = 90 %
        Minutes(31, bad=4465, credit=100),  # 40,175 of 44,640 are 89.99776 % < 90 %
    ),
    "gcp-compute-single-memory-optimised": (
        Minutes(28, bad=20, credit=0),  # 40,300 of 40,320 are 99.950397 % > 99.95 %
        Minutes(28, bad=21, credit=10),  # 40,299 of 40,320 are 99.947917 % < 99.95 %
        Minutes(30, bad=21, credit=0),  # 43,179 of 43,200 are 99.951389 % > 99.95 %
        Minutes(30, bad=22, credit=10),  # 43,178 of 43,200 are 99.949074 % < 99.95 %
        Minutes(31, bad=22, credit=0),  # 44,618 of 44,640 are 99.950717 % > 99.95 %
        Minutes(31, bad=23, credit=10),  # 44,617 of 44,640 are 99.948477 % < 99.95 %
        Minutes(28, bad=2016, credit=10),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=25),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=10),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=25),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=10),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=25),  # 42,407 of 44,640 are 94.99776 % < 95 %
        Minutes(28, bad=4032, credit=25),  # 36,288 of 40,320 are 90 % = 90 %
        Minutes(28, bad=4033, credit=100),  # 36,287 of 40,320 are 89.99752 % < 90 %
        Minutes(30, bad=4320, credit=25),  # 38,880 of 43,200 are 90 % = 90 %
        Minutes(30, bad=4321, credit=100),  # 38,879 of 43,200 are 89.997685 % < 90 %
        Minutes(31, bad=4464, credit=25),  # 40,176 of 44,640 are 90 % = 90 %
        Minutes(31, bad=4465, credit=100),  # 40,175 of 44,640 are 89.99776 % < 90 %
    ),
    "gcp-gke-zonal": (
        Minutes(28, bad=201, credit=0),  # 40,119 of 40,320 are 99.501488 % > 99.5 %
        Minutes(28, bad=202, credit=10),  # 40,118 of 40,320 are 99.499008 % < 99.5 %
        Minutes(30, bad=216, credit=0),  # 42,984 of 43,200 are 99.5 % = 99.5 %
        Minutes(30, bad=217, credit=10),  # 42,983 of 43,200 are 99.497685 % < 99.5 %
        Minutes(31, bad=223, credit=0),  # 44,417 of 44,640 are 99.500448 % > 99.5 %
        Minutes(31, bad=224, credit=10),  # 44,416 of 44,640 are 99.498208 % < 99.5 %
        Minutes(28, bad=403, credit=10),  # 39,917 of 40,320 are 99.000496 % > 99 %
        Minutes(28, bad=404, credit=25),  # 39,916 of 40,320 are 98.998016 % < 99 %
        Minutes(30, bad=432, credit=10),  # 42,768 of 43,200 are 99 % = 99 %
        Minutes(30, bad=433, credit=25),  # 42,767 of 43,200 are 98.997685 % < 99 %
        Minutes(31, bad=446, credit=10),  # 44,194 of 44,640 are 99.000896 % > 99 %
        Minutes(31, bad=447, credit=25),  # 44,193 of 44,640 are 98.998656 % < 99 %
        Minutes(28, bad=2016, credit=25),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=50),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=25),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=50),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=25),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=50),  # 42,407 of 44,640 are 94.99776 % < 95 %
    ),
    "gcp-gke-regional": (
        Minutes(28, bad=20, credit=0),  # 40,300 of 40,320 are 99.950397 % > 99.95 %
        Minutes(28, bad=21, credit=10),  # 40,299 of 40,320 are 99.947917 % < 99.95 %
        Minutes(30, bad=21, credit=0),  # 43,179 of 43,200 are 99.951389 % > 99.95 %
        Minutes(30, bad=22, credit=10),  # 43,178 of 43,200 are 99.949074 % < 99.95 %
        Minutes(31, bad=22, credit=0),  # 44,618 of 44,640 are 99.950717 % > 99.95 %
        Minutes(31, bad=23, credit=10),  # 44,617 of 44,640 are 99.948477 % < 99.95 %
        Minutes(28, bad=403, credit=10),  # 39,917 of 40,320 are 99.000496 % > 99 %
        Minutes(28, bad=404, credit=25),  # 39,916 of 40,320 are 98.998016 % < 99 %
        Minutes(30, bad=432, credit=10),  # 42,768 of 43,200 are 99 % = 99 %
        Minutes(30, bad=433, credit=25),  # 42,767 of 43,200 are 98.997685 % < 99 %
        Minutes(31, bad=446, credit=10),  # 44,194 of 44,640 are 99.000896 % > 99 %
        Minutes(31, bad=447, credit=25),  # 44,193 of 44,640 are 98.998656 % < 99 %
        Minutes(28, bad=2016, credit=25),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=50),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=25),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=50),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=25),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=50),  # 42,407 of 44,640 are 94.99776 % < 95 %
    ),
    "gcp-gke-autopilot-pods": (
        Minutes(28, bad=40, credit=0),  # 40,280 of 40,320 are 99.900794 % > 99.9 %
        Minutes(28, bad=41, credit=10),  # 40,279 of 40,320 are 99.898313 % < 99.9 %
        Minutes(30, bad=43, credit=0),  # 43,157 of 43,200 are 99.900463 % > 99.9 %
        Minutes(30, bad=44, credit=10),  # 43,156 of 43,200 are 99.898148 % < 99.9 %
        Minutes(31, bad=44, credit=0),  # 44,596 of 44,640 are 99.901434 % > 99.9 %
        Minutes(31, bad=45, credit=10),  # 44,595 of 44,640 are 99.899194 % < 99.9 %
        Minutes(28, bad=403, credit=10),  # 39,917 of 40,320 are 99.000496 % > 99 %
        Minutes(28, bad=404, credit=25),  # 39,916 of 40,320 are 98.998016 % < 99 %
        Minutes(30, bad=432, credit=10),  # 42,768 of 43,200 are 99 % = 99 %
        Minutes(30, bad=433, credit=25),  # 42,767 of 43,200 are 98.997685 % < 99 %
        Minutes(31, bad=446, credit=10),  # 44,194 of 44,640 are 99.000896 % > 99 %
        Minutes(31, bad=447, credit=25),  # 44,193 of 44,640 are 98.998656 % < 99 %
        Minutes(28, bad=2016, credit=25),  # 38,304 of 40,320 are 95 % = 95 %
        Minutes(28, bad=2017, credit=50),  # 38,303 of 40,320 are 94.99752 % < 95 %
        Minutes(30, bad=2160, credit=25),  # 41,040 of 43,200 are 95 % = 95 %
        Minutes(30, bad=2161, credit=50),  # 41,039 of 43,200 are 94.997685 % < 95 %
        Minutes(31, bad=2232, credit=25),  # 42,408 of 44,640 are 95 % = 95 %
        Minutes(31, bad=2233, credit=50),  # 42,407 of 44,640 are 94.99776 % < 95 %
    ),
}
