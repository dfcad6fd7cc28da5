"""The Python twin of what the contracts compute, checked by the shared vectors and by properties."""
