"""``python -m relayer.cli`` is ``makegood``."""

import sys

from relayer.cli import main

sys.exit(main())
