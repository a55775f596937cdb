"""A whole clinic at once: every child of a source answered as `patient-view` would, and what that
is for all of them together.

`sources` are the files, `splitting` sorts their resources by child, `judging` answers for one
child after another, `running` does it in steps on all cores, and `outcome` writes what came of it.
"""
