"""One module for each provider, the interface they share, and the table that lists them."""
