"""What kustomize reads of a repository."""
