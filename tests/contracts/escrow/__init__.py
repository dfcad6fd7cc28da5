"""Contract tests of the escrow. Each `.tree` file is the specification of one public function."""
