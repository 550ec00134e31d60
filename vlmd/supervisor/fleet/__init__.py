"""The workers: one process per device, kept alive, given windows, heard.

fleet         all workers: windows are given out here, answers come in
slot          one device: keeps one worker alive on it
scheduler     pure: which job next, and how many windows at once
restart       pure: when a worker that ended is started again
rate          pure: windows per second
checkpoints   answers that arrive together are written together
"""
