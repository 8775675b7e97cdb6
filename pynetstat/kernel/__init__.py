"""The kernel, read in one place: /proc, netlink, ioctl()."""
