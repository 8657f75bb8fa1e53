"""Ways out of here: what is sent to somebody else's server."""
