"""What the operator of a relayer chooses: read once, checked, and passed on as one object.

================  ==================================================================================
:mod:`.values`    how single values are written: addresses, hosts with ports, databases
:mod:`.model`     the fields, their defaults and ranges, and what they mean together
:mod:`.names`     where a field can also be set: variables of the environment, flags
:mod:`.loading`   the layers, what beats what, and where each value comes from
================  ==================================================================================
"""

from relayer.config.loading import Loaded, load
from relayer.config.model import AwsKms, Configuration, Exchange, KeySettings, Operations
from relayer.config.names import FLAGS, VARIABLES

__all__ = [
    "FLAGS",
    "VARIABLES",
    "AwsKms",
    "Configuration",
    "Exchange",
    "KeySettings",
    "Loaded",
    "Operations",
    "load",
]
