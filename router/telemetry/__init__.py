"""Logs and metrics, behind the one Observer port."""
