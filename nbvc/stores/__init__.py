"""Where versions live: the protocol of a store and its implementations."""
