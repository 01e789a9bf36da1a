"""Hostile bytes for every decoder: `build.py fuzz TARGET`. Only the declared error may come out, within bounds."""
