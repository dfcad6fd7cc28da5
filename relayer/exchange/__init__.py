"""Signed readings between reporters, over HTTP: each serves what was signed, pulls from its peers, and keeps what is valid.

=====================  ================================================================
:mod:`.wire`           a signed bundle as JSON
:mod:`.access`         who may read bundles with private feeds, and how a reader proves who it is
:mod:`.server`         what this relayer serves
:mod:`.client`         one question to a peer: all that can go wrong has a name
:mod:`.verify`         whether a bundle is what it says
:mod:`.contradictions` what one reporter signed twice, differently
:mod:`.intake`         from a peer's answer into the store
:mod:`.peers`          a thread for each peer
=====================  ================================================================

Nothing depends on a peer's good will: one that lies, is late, sends garbage, floods, or is down changes a metric and an alert.
"""
