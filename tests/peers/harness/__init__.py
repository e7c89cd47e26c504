"""What the runners in tests/peers share: brokers as processes, the corpus, a minimal wire client."""
