"""Every message between vlmd's processes, both directions side by side.

They travel as length-prefixed msgpack on a socket pair of their own (`vlmd.link`), never on stdout: libraries
print there. Delivery is at least once; effects are idempotent. What reads a link adds `Gone` at its end, so
that end of file, a signal and a crash look alike.

A decoder is short-lived and imports only what it needs, so each kind of process has a module of its own.
"""
