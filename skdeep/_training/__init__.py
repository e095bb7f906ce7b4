"""How nets are trained and applied: skorch, data in batches, optimisers and callbacks."""
