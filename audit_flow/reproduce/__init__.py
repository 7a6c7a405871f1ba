"""Evaluations that are run again here, on the very bytes that are released."""

from audit_flow.reproduce.recompute import measurement_key, recompute, reproductions

__all__ = ["measurement_key", "recompute", "reproductions"]
