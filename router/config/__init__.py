"""What the operator writes: the environment and the routing file, checked whole."""
