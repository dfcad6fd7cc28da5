"""Work on the contracts: deployment, export of artifacts, the toolchain itself."""
