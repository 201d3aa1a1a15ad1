"""Facts that programs, libraries, scripts and archives tell of themselves, read from their bytes.

Pure and bounded: a file object with ``seek`` goes in, frozen structs come out. Whatever the bytes
are, nothing but `errors.BinaryError` is raised.
"""
