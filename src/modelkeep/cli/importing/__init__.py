"""`modelkeep import`: a client of two servers, which reads the one and writes to the other."""
