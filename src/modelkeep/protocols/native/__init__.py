"""modelkeep's own API, under `/api/v1`: every use case, in modelkeep's own words."""
