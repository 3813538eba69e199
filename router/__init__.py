"""flux-router: calls only the Flux Receivers of the layers that a Git push changes."""

__version__ = "0.1.0"
