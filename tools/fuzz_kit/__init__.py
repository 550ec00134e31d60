"""Mutants of videos, dropped through a real daemon.

mutants     from seed and number to a damaged video (pure)
campaign    portions of them through a daemon with scripted workers, and what must hold
report      how they ended
"""
