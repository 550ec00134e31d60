"""The daemon: wires inbox, store, workers and control API together. Never imports torch or av.

daemon      the main loop: start everything, wait for a reason to end, end it in order
planning    a registered file is indexed and cut into windows
fleet       one slot per device, each keeping one worker alive; windows are given out here
scheduler   pure: which job next, and how many windows at once
checkpoints answers that arrive together are written together
merging     a job whose windows are all in gets its result
control     the HTTP API on a Unix socket
devices     what GPUs there are (NVML)
restart     pure: when a worker that ended is started again
"""
