"""What is asked of a model, and how its answer is read: prompt template, parser, merger. One module a task."""
