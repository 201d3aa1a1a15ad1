"""What is installed in a root file system, read from the databases that package managers keep.

Each cataloguer is a pure function from the bytes of one database or file to packages; `scan` finds
what there is in a tree and asks them. What cannot be read is noted, never ignored, and never an
error of whoever asked.
"""
