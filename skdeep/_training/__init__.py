"""Training and inference: skorch nets, batches, optimizers and callbacks."""
