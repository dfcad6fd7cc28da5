"""What our own probes share: the plan of samples, one deadline for everything, one word for what went wrong."""
