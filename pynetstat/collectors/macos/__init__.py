"""macOS: what its own sysctls tell, which is more than psutil does and needs no root."""
