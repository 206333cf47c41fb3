"""Style sheet and the few plot helpers that figures share."""
