"""A configuration for a folder of its own: the demo model on the CPU. Pipelines are put behind it."""

DEMO = """
[paths]
inbox = "inbox"
results = "results"
state = "state"

[devices]
use = ["cpu"]

[inbox]
settle_seconds = 0.3

[models.demo]
path = "vlmd-demo"
frame_edge = 160
"""
