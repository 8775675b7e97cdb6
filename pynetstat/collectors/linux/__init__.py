"""Listings of Linux, each in a file of its own."""
