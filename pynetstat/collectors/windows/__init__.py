"""Windows: what iphlpapi.dll tells."""
