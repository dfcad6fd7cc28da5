"""An agreement in plain English, with its own numbers.

==================  ================================================================
:mod:`.words`       durations, counts and dates as people say them
:mod:`.thresholds`  where each credit begins, and examples: by the contracts' arithmetic
:mod:`.sections`    what is said, section by section
==================  ================================================================
"""

from relayer.explanation.sections import Explanation, Section, Table, explain

__all__ = ["Explanation", "Section", "Table", "explain"]
