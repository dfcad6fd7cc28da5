"""MonitoringOracle, one `.tree` file per function: what it does when, in the words of the tests' names."""
