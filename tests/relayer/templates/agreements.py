"""Documents made of templates, and the readings of golden cases."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain

from relayer.document import load_document
from relayer.templates import Filling, load_template, render
from tests import samples
from tests.relayer.templates.golden_minutes import Minutes
from tests.relayer.templates.golden_rates import ALL

FEE = "1000.00"
UNITS = 1_000 * samples.DOLLAR
PARAMETERS = {
    "project": "shop-1",
    "region": "eu-central-1",
    "machine": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/web",
    "scaleset": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web",
    "database": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.Sql/servers/shop/databases/shop",
    "account": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.Storage/storageAccounts/shop",
    "url": "https://shop.example.com/health",
}
"""Values of templates' parameters; of those that are not here the name will do."""


def parameters_of(template):
    azure = template.vendor == "Microsoft"
    given = {name: PARAMETERS.get(name, f"{name}-1") for name in template.parameters}
    return given | ({"region": "westeurope"} if azure else {})


def filling(template, *, year=2027, month=1, windows=None, **changes):
    """Everything that a document of the template needs."""
    fields = {
        "provider": samples.wallet(1).address,
        "consumer": samples.wallet(2).address,
        "chain_id": 31337,
        "escrow": samples.wallet(5).address,
        "oracle": samples.wallet(6).address,
        "token": samples.wallet(7).address,
        "decimals": 6,
        "fee": FEE,
        "start": f"{year}-{month:02}-01T00:00:00Z",
        "windows": windows,
        "reporters": [samples.reporter_wallets(1)[0].address],
        "parameters": parameters_of(template),
    }
    return Filling(**(fields | changes))


def document_of(name, folder, *, adapters=False, **changes):
    template = load_template(name)
    path = folder / f"{name}.yaml"
    path.write_text(render(template, filling(template, **changes)).text)
    return load_document(path, adapters=adapters)


# A month of each length, in years that have no 29th of February.
MONTH_OF = {28: 2, 30: 4, 31: 3}


def window_of(terms, days):
    """The first window of so many days."""
    lengths = [
        (terms.window_start(w + 1) - terms.window_start(w)) // 86_400 for w in range(terms.windows)
    ]
    return lengths.index(days)


def codes_of(case, document):
    """The readings of a golden case's month: good ones, and bad ones from its first to its last interval."""
    feed = document.levels[0].feed
    count = case.days * 86_400 // feed.measurement.interval
    good, bad = values(feed)
    if isinstance(case, Minutes):
        return scattered([good] * count, [bad] * case.bad)
    rates = chain.from_iterable([rate] * number for number, rate in case.rates)
    higher = feed.scope.best > feed.scope.worst
    return scattered([good] * count, [ALL - rate if higher else rate for rate in rates])


def values(feed):
    """A good and a bad value, as far from each other as they can be."""
    if feed.scope.has_range:
        return feed.scope.best, feed.scope.worst
    good = [value for value in (1_000_000, 0) if feed.measurement.is_good(value)]
    bad = [value for value in (0, 1, 1_000_000) if not feed.measurement.is_good(value)]
    return good[0], bad[0]


def scattered(codes, bad):
    """`bad` put in: at the very begin and end of the month, in one outage from its middle on, and what is left where there is room."""
    middle = len(codes) // 2
    places = list(dict.fromkeys([0, len(codes) - 1, *range(middle, len(codes)), *range(middle)]))
    for place, code in zip(places, bad, strict=False):
        codes[place] = code
    assert len(bad) <= len(codes)
    return codes


def utc(*parts):
    return int(datetime(*parts, tzinfo=UTC).timestamp())
