"""The rules of other systems as special cases of ours: each module builds policies.

A trailing order of another system knows no initial stop, no breakeven, no backstop and no
pacing, and it trails the distance that it is told, however small; `bare.py` says that once.
"""
