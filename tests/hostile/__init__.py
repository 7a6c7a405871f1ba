"""Hostile folders, outputs and networks, each against every command or format that meets them."""
