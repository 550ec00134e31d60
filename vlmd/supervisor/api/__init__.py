"""The control API of a running daemon.

server      HTTP on a Unix socket; which groups of routes there are
answering   what all routes share
status      how the daemon is doing
screen      the same for a live screen, bounded; answers as the models gave them
metrics     the same for a monitoring system
health      is it well, is it ready
devices     pausing, draining and resuming them
jobs        jobs, and `verbs`, what can be done to them
keeping     forgetting what has been kept long enough
reload      the settings, read again
"""
