"""The tests of modelkeep, and what supports them."""
