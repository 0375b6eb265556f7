"""The spool: incoming instances, one file each, recovered after a crash.

A spool file is a Part 10 file. Its name is ``<id>_<originator>_<message>_<address>.part`` while
it is being written, and ends in ``.dcm`` once it is complete. ``<id>`` is the ID of the writer (16
hexadecimal digits) and the number of the instance (16 more), so that the files of a dead
process can be found. ``<originator>`` (hexadecimal Latin-1) and ``<message>`` (hexadecimal)
are the Move Originator AE Title and Message ID of the C-STORE request (PS3.7 section
9.3.1.1); they are empty if the request has none. ``<address>`` (hexadecimal Latin-1) is that of
the sender, empty if we fetched the instance ourselves. Names contain nothing else that a peer sent.
"""
