"""Everything `tools/chaos.py` and the tests of whole processes need to run the real daemon and disturb it.

videos     small films, rendered on the spot
stage      folders, config and script of one daemon
processes  the daemon's process tree, from /proc
daemon     start, stop, kill; what its API and its database say
victims    who is killed next, and who is spared
witness    remembers every answer it saw acknowledged
disturb    an undisturbed run for reference, then a disturbed one
checks     what must hold afterwards
report     the figures
"""
