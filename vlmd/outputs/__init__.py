"""Results: what a job's answers come to, and the files they are written to.

result    answers → one document (pure)
encoding  JSON, piece by piece; formats/ the same results for other programs
write     whole or absent files
mount     is the results folder still the one that vlmd started with?
"""
