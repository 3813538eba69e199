"""Flux's objects as the files of a repository declare them, and the layers that these make."""
