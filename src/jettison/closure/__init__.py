"""The runtime closure: what given files need when they run, of a tree that can supply it.

`engine.closure_of` starts with a launch or files, asks `rules` about every file that comes in, and
gives back paths, each with the reasons it is there, and what is missing. Nothing is executed.
"""
