"""How exact plain Flux, prefixes and closures are, held against what a real kustomize renders."""
