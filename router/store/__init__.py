"""What is durable: deliveries, plans, matches, receivers and their numbers, attempts."""
