"""iota worker: runs the detection rules of one pack in one Python process.
Must not know about AWS, alerts, outputs or the file system: everything arrives over two pipes (PROTOCOL.md)."""
