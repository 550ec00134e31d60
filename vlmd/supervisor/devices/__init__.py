"""Devices: which get a worker, and how they are doing.

discovery   what the machine has, what CUDA_VISIBLE_DEVICES allows, what the configuration names
nvml        the NVIDIA driver, asked in a thread with a deadline
"""
