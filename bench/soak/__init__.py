"""Everything that can go wrong at once, for a bounded time, and what must hold afterwards."""
