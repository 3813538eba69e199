"""The only caller of the git command: clones of Git hosts, and local repositories."""
