"""`python -m modelkeep` is the `modelkeep` command."""

from modelkeep.cli.main import main

if __name__ == "__main__":
    main()
