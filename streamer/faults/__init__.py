"""The fault kit: a proxy that stands in front of a Message Batches API and damages what passes, byte by byte.

It is a server of its own on 127.0.0.1 that speaks HTTP/1.1 on raw sockets, so that it can break every rule of it.
Batches, lists and results come from the upstream, usually `streamer serve`; a script of faults decides by operation,
count, chance and seed what is done to which answer. `streamer.faults.running.running` is the way in for tests; the
README beside this file has the grammar and all faults.

It imports nothing of the library, and works in front of any server of the API.
"""
