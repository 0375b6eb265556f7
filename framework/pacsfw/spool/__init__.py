"""The spool: objects on their way in, one file each, found again after a crash.

A spool file is a Part 10 file. It is called ``<id>_<originator>_<message>.part`` while it
is being written and ``.dcm`` once it is whole. ``<id>`` is the ID of who writes, in 16
hexadecimal digits, and the number of the object in 16 more: so what a process held is found
again when it has died. ``<originator>`` (hexadecimal Latin-1) and ``<message>``
(hexadecimal) are the Move Originator AE Title and Message ID of the C-STORE request (PS3.7
section 9.3.1.1), empty where there were none. Names never hold anything else that a peer
sent.
"""
