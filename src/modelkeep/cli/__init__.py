"""The `modelkeep` command. What is heavy is imported by the command that needs it."""
