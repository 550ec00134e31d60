"""Devices: which get a worker, and how they are doing.

discovery   what the machine has, what CUDA_VISIBLE_DEVICES allows, what the configuration names
nvml        the NVIDIA driver, asked in a thread with a deadline
memory      a GPU's free memory, and who has the rest
checkup     errors that NVML counts, and what follows from them
xid         pure: what the driver's Xid numbers mean
listener    Xid events, heard in a thread
health      parks a GPU that cannot be trusted any more
"""
