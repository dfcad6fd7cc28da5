"""What an agreement would have paid, had it been in force in the past: readings in, money out, by the contracts' arithmetic.

================  ==================================================================
:mod:`.past`      the readings of a level, several reporters' combined by rule 3
:mod:`.csv_file`  readings from a file
:mod:`.service`   readings from the monitoring service itself
:mod:`.dates`     terms moved to the time of the readings
:mod:`.course`    tallies, credits and payments, window by window
:mod:`.calendar`  one cell for each hour or day
:mod:`.svg`       a picture of it
================  ==================================================================
"""

from relayer.simulation.course import Course, Payment, WindowCourse, run
from relayer.simulation.past import Past

__all__ = ["Course", "Past", "Payment", "WindowCourse", "run"]
