"""Arithmetic with two targets: written once as plain Python, bound for the CPU and for CUDA."""
