"""The daemon: wires inbox, store, workers and control API together. Never imports torch or av.

daemon        the main loop: start everything, wait for a reason to end, end it in order
parts         what a running daemon consists of, and how it is wired
planning      a registered file is indexed and cut into windows
fleet         all workers: windows are given out here, answers come in
slot          one device: keeps one worker alive on it
scheduler     pure: which job next, and how many windows at once
checkpoints   answers that arrive together are written together
merging       a job whose windows are all in gets its result
pool          the loop that planning and merging share
control       the HTTP API on a Unix socket; `verbs` is what it can do
trial         a few windows without a queue
devices       which devices get a worker; `nvml` asks the driver
models        what a configured model is: folder, architecture, revision
process       starting a process of ours and hearing it until it is gone
restart       pure: when a worker that ended is started again
rate          pure: windows per second
"""
