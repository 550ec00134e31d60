"""Everything that the tools and the tests of whole processes need to run the real daemon and disturb it.

videos     small films, rendered on the spot
stage      folders, config and script of one daemon
processes  the daemon's process tree, from /proc
daemon     start, stop, kill; what its API and its database say
victims    who is killed next, and who is spared
witness    remembers every answer it saw acknowledged
disturb    an undisturbed run for reference, then a disturbed one
checks     what must hold afterwards
report     the figures
journal    what a process did to the disk, as the shim of tests/faults recorded it
disk       what is left of that after a power cut
powercut   a recorded daemon, and its disk after many cuts
sweep      a supervisor that is killed at each of its side effects
"""
