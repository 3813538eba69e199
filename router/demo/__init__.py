"""The demo: a Flux receiver stand-in and a story that runs the real service on this machine."""
