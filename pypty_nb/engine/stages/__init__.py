"""The model's stages: each a `forward` that also gives what its `adjoint` needs.

Cotangents are dL/dRe + i dL/dIm of a stage's output; for a linear stage y = Ax the cotangent of x is Aᴴ times that of y.
Fields are in unshifted FFT order in Fourier space, and (pattern, …, y, x) with the transformed axes last.
"""
