"""The disk: files that are private and durable, and what to tell when it does not take them."""
