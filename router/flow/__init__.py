"""The way of one push: accept, dispatch, reload. Rules come from the core, the outside by ports."""
