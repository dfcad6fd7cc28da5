"""What makes brownie, the compiler from npm and the two chains work together."""
