"""`vlmd demo` (placeholder until the model is there)."""

COMMANDS = []
