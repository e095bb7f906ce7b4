"""How samples as users have them become tensors, and tensors samples again."""
