"""Typed instructions -> a graph of steps. Pure: what it must know of images it asks a port for."""
