"""How monitoring services are spoken to: JSON over HTTP, and what the vendors' own clients lack."""
