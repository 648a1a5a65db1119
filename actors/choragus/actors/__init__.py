"""What an actor is: messages, handlers, refs, durable actors."""
