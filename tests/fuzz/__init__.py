"""Fuzzing of every reader: targets, engines, and the cases that once broke one."""
