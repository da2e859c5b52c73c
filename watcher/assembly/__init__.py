"""Configuration → objects: refuses what cannot be used, builds all that runs, and starts nothing.

Whoever needs a part of it imports that part's file alone: a command that only reads loads no client of Azure.
"""
