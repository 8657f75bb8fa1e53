"""The concrete adapters that keep rows and bytes."""
