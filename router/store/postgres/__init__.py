"""The store in a PostgreSQL database, which several replicas may share."""
