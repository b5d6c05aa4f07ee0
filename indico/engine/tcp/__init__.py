"""The TCP service: one JSON object a line calls an action, and a line answers it."""
