"""The front door: command line, settings, demo and replay. The only room that sees every other."""
