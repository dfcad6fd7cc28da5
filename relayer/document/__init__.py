"""SLA documents: what the parties agree on, written by people, read exactly.

::

    document = load_document("agreement.yaml")
    document.terms              # what both sign and the escrow takes
    document.levels[0].feed     # what reporters report

=====================  ==========================================================
:mod:`.quantities`     durations, percentages, amounts, times: text to integers
:mod:`.hours`          hours of the week
:mod:`.model`          the fields and how each is written
:mod:`.sources`        monitoring services, metrics, the descriptor of a feed
:mod:`.own_network`    addresses that only a reporter's own machine can reach
:mod:`.levels`         service levels for the contracts, or the lines in the way
:mod:`.checks`         what fields mean together: terms, or the lines in the way
:mod:`.document`       the document, its hash and its agreement's id
:mod:`.signatures`     the parties' signatures, in a file beside the document
:mod:`.cards`          keys that documents are sealed with, and whose they are
:mod:`.sealing`        a document sealed for those who may read it
:mod:`.proof`          what document and signatures prove
:mod:`.words`          what a document promises, for people
:mod:`.schema`         its JSON Schema, for editors
:mod:`.yaml_text`      a document as text again
=====================  ==========================================================
"""

from relayer.document.document import AgreedLevel, Document, Domains, fresh_salt, load_document
from relayer.document.signatures import Signatures
from relayer.document.sources import DataSource

__all__ = [
    "AgreedLevel",
    "DataSource",
    "Document",
    "Domains",
    "Signatures",
    "fresh_salt",
    "load_document",
]
