"""What the flow needs of the outside, as Protocols. Adapters implement them; tests have fakes."""
