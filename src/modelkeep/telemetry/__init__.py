"""What the server tells of itself: lines in a log, and counts for whoever watches it."""
