# Functions of packet.pyx for the other extension modules.

from libc.stdint cimport uint8_t

cdef int fix_in_place(uint8_t *packet, size_t size) except -1
