"""Training a model: parameters, loss, optimizer, loop and checkpoints."""
