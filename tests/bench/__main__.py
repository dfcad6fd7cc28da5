"""How fast the relayer is: `python -m tests.bench [naive] [scale] [signing] [scaleout] [hanging] [simulate]` (`make bench`), as one JSON object.

Ratios are of figures taken in one run on one machine. Where there is a goal, it says whether it was met.
Without names all are measured; `scale` alone takes some five minutes of a processor, twelve by the clock on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from importlib import import_module

import structlog

NAMES = ("naive", "scale", "signing", "scaleout", "hanging", "simulate")


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="|".join(NAMES))
    names = parser.parse_args().names or NAMES
    # Here and not where it is measured: tests use that, too, and look at what is logged.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    found = {name: import_module(f"tests.bench.{name}").measure() for name in names}
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
