"""Terms that are published already, as templates of SLA documents: those of AWS, Azure and Google Cloud, with source and date.

Each YAML file here is a service, each of its ``variants`` a template; what a variant does not say stands in the file, or in the variant that
it is ``like``. Fields:

==================  ====================================================================================================
title, service      what it is; ``vendor`` whose
source, version     the page, and its date; ``verified`` how well it was compared (:data:`VERIFIED`), ``note`` what is doubtful
definition          the vendor's definition in our own words
claim               what a customer has to do there to be paid; here nobody has to
judged, notJudged   what of the vendor's definition and exclusions a machine judges, and what it cannot
indicator           YAML of the level's indicator; ``$name`` is one of the ``parameters``, each with a hint
objective, range    as in a document
interval            length of an interval, settleDelay as the monitoring service needs it
unknown             what an interval without reading counts as; notApplicable one without anything to measure
tiers, cap          as in a document
window, windows     ``month`` and 12 unless said otherwise
probe               a data source that a second and a third reporter may read instead
==================  ====================================================================================================
"""

from relayer.templates.catalogue import VERIFIED, Template, load_template, templates
from relayer.templates.rendering import Filling, Missing, Rendered, render

__all__ = [
    "VERIFIED",
    "Filling",
    "Missing",
    "Rendered",
    "Template",
    "load_template",
    "render",
    "templates",
]
