"""The pure engine: fuse, advance, judge. No I/O, no clock, no randomness, no logging.

`engine.Engine` is the entry; it is driven by the worker, by `replay`, by the definitions' own tests and
by the property tests alike.
"""
