"""The daemon: wires inbox, store, workers and control API together. Never imports torch or av.

daemon     the main loop: start everything, wait for a reason to end, end it in order
reloading  the settings, read again while the daemon runs
notify     what the service manager is told
parts      what a running daemon consists of, and how it is wired
planning   a registered file is indexed and cut into windows
merging    a job whose windows are all in gets its result; `merger` is one such process
keeping    once a day: what has been kept long enough is forgotten
pool       the loop that planning and merging share
fleet/     the workers: one process per device
devices/   which devices get a worker, and how they are doing
api/       the control API on a Unix socket
hooks/     commands and webhooks that are told of jobs that ended
metrics    what happened, counted; `health` says whether all is well
lately     a value that is not read more often than needed
models     what a configured model is: folder, architecture, revision
process    starting a process of ours and hearing it until it is gone
folders    folders that people share with the daemon
trial      a few windows without a queue
"""
