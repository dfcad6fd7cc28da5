"""The demonstration: an SLA that is breached and pays, from an empty chain to the last cent, in about a minute."""
