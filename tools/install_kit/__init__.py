"""What `try_install.py` is made of.

readme     the commands of a section of the README
root       a Debian in a folder, where they are followed
confine    runs a unit's program inside it, under what the unit says; uses nothing but what the root has
manager    the service manager's end of the notify socket
"""
