"""The pure heart of vlmd: no I/O, no clock, no asyncio, no torch, no av.

Times are integer milliseconds from the first picture of a video; spans are half-open.
"""
