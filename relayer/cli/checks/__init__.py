"""The checks of `makegood doctor`: each finds one kind of trouble and knows what mends it.

===================  ==========================================================
:mod:`.finding`      what a check found, and what later checks need of it
:mod:`.machine`      database, lease, disk, open files, ports, webhook
:mod:`.key`          the key, and that it signs
:mod:`.chains`       each RPC endpoint, the chain, batcher, balance and runway
:mod:`.agreements`   documents, their contracts, our part in their panels
:mod:`.peers`        the other reporters, and this machine's clock
:mod:`.sources`      monitoring services
:mod:`.checkup`      all of them in their order
===================  ==========================================================
"""

from relayer.cli.checks.checkup import Checkup
from relayer.cli.checks.finding import Finding

__all__ = ["Checkup", "Finding"]
