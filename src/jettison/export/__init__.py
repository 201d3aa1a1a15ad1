"""Snapshots -> blobs -> images, and the forms in which images leave: archives, layouts, trees."""
