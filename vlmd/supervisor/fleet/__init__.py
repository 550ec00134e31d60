"""The workers: one process per device, kept alive, given windows, heard.

fleet         all workers: kept alive, paused, parked; answers come in here
giving        windows are given out
choosing      which model a device should have, alone or with its neighbours
slot          one device: a worker on it, or the reason why there is none
worker        one worker process, from its start to its end
team          devices that are lent to a neighbour's worker
states        what a device can be doing
steps         pure: what comes next for a device without a worker
held          pure: the leases a worker has
patience      pure: after how much silence a worker hangs
scheduler     pure: which job and which model next, and how many windows at once
restart       pure: when a worker that ended is started again
rate          pure: windows per second
tally         pure: what a device has done, its swaps of models among it
loading       pure: how far a model is loaded
waiting       why nobody answers a job's windows, in words
checkpoints   answers that arrive together are written together
"""
