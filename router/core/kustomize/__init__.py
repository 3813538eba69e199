"""What kustomize reads of a repository, and what Flux has built of it."""
