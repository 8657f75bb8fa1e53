"""Real databases, servers and clients for the tests, and a clock that a test moves."""
