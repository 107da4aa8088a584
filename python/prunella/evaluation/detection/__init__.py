"""Labelled telemetry in, how good a detector is out: events found, pages raised in vain, lead time.

`tally` counts events and pages, `nab` is the Numenta benchmark's score, `evaluate` runs a detector
over a folder of labelled series, one sample at a time, with the same defaults everywhere.
"""
