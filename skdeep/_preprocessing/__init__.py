"""From samples as users have them to tensors, and back."""
