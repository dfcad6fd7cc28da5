"""Tools that attack the contracts: fuzz campaigns, mutants, proofs, other compilers. See docs/assurance.md."""
