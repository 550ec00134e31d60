"""What decoders ask of the kernel.

calls      from strace's lines to what a decoder touched by name, before and after it locked itself up (pure)
running    a real daemon under strace
"""
