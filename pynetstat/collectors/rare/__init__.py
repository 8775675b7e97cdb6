"""Listings of families that few kernels still have."""
