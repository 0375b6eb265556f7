"""A layout by year."""

from pacsfw import Component, hookimpl


def by_year(header):
    """One folder per study year."""
    return [header.StudyDate[:4], f"{header.SOPInstanceUID}.dcm"]


@hookimpl
def pacsfw_layouts():
    yield Component.of(by_year, name="by-year")
