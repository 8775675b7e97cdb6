"""Layouts of other programs: the netstat of Windows, of macOS and of FreeBSD, and lsof -i."""
