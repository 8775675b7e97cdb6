"""pynetstat: network connections, routes, interfaces, groups and statistics."""

__version__ = "1.0.0"
