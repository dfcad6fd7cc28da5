"""Tools that break things on purpose."""
