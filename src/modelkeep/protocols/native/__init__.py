"""modelkeep's own API, under `/api/modelkeep/v1`: what no other dialect has a word for."""
