"""`vlmd doctor`: looks at everything vlmd needs, says what is wrong and what to do; changes nothing.

    findings   what a check says, and what it is told
    registry   every check, in the order they run
    child      asking a process of its own what may be slow, crash or hang: torch, the driver, FFmpeg

One module per area, each with checks that take a `Setting` and return findings; what is decided is a pure function of
what was probed:

    system     Python, kernel, clock          gpu        driver, torch, bitsandbytes, video memory
    folders    permissions, disks, notices    models     checkpoints: complete, safe, of a known family
    database   readable, whole, current       decoding   FFmpeg's version, the decoder's sandbox
    service    the running daemon, its unit
"""
