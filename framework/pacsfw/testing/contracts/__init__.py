"""Contract suites: the properties that pacsfw relies on, as tests for a component.

Derive a class whose name begins with ``Test``, name the plugin and the component, and run
pytest. Each suite adds the settings that its kind needs, such as the target of a sink::

    import pacsfw_yearly
    from pacsfw.testing import LayoutContract


    class TestYearly(LayoutContract):
        plugin = pacsfw_yearly
        name = "yearly"
"""

from pacsfw.testing.contracts.callback import TagCallbackContract
from pacsfw.testing.contracts.cohort import CohortContract
from pacsfw.testing.contracts.converter import ConverterContract
from pacsfw.testing.contracts.layout import LayoutContract
from pacsfw.testing.contracts.observer import ObserverContract
from pacsfw.testing.contracts.query import QueryProviderContract
from pacsfw.testing.contracts.row_callback import RowCallbackContract
from pacsfw.testing.contracts.sink import SinkContract
from pacsfw.testing.contracts.transfer import TransferContract

__all__ = [
    "CohortContract",
    "ConverterContract",
    "LayoutContract",
    "ObserverContract",
    "QueryProviderContract",
    "RowCallbackContract",
    "SinkContract",
    "TagCallbackContract",
    "TransferContract",
]
