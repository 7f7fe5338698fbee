"""What we promise, by kind of promise."""
