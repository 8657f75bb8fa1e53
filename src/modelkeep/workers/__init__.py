"""What works on by itself, beside the calls: each module is one worker."""
