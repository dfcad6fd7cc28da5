"""A long run of the whole network under random faults: `python -m tests.soak` (`make soak`)."""
