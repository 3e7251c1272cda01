"""The learner's working copies: made, upgraded, never overwritten."""
