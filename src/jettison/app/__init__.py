"""The composition root: wires the concrete parts together; the Python API."""
