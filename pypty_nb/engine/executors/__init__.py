"""Where the sum over patterns is done.

An executor has ``run(point, wanted, weight) -> Sums``: losses, squared errors and the gradient of the arrays named, over the
patterns it was made with. Serial is the first; others are swapped for it without anybody else knowing.
"""
