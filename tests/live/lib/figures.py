"""Measurements, printed at the end of a run however it ended."""

figures = []


def note(line):
    figures.append(line)
