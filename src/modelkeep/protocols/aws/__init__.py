"""The dialects of AWS's clients, driven by botocore's own models of the services."""
