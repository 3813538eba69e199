"""The other sides of our wires: Flux Receivers, Git, and the machine's clock."""
