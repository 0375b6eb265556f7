"""Contract suites: what pacsfw relies on, as tests that an author runs over a component.

Derive a class whose name begins with ``Test``, name the plugin and the component, and run
pytest. Each suite adds what only its kind needs to know, such as where a sink writes::

    import pacsfw_yearly
    from pacsfw.testing import LayoutContract


    class TestYearly(LayoutContract):
        plugin = pacsfw_yearly
        name = "yearly"
"""

from pacsfw.testing.contracts.callback import TagCallbackContract
from pacsfw.testing.contracts.converter import ConverterContract
from pacsfw.testing.contracts.layout import LayoutContract
from pacsfw.testing.contracts.observer import ObserverContract
from pacsfw.testing.contracts.query import QueryProviderContract
from pacsfw.testing.contracts.sink import SinkContract
from pacsfw.testing.contracts.transfer import TransferContract

__all__ = [
    "ConverterContract",
    "LayoutContract",
    "ObserverContract",
    "QueryProviderContract",
    "SinkContract",
    "TagCallbackContract",
    "TransferContract",
]
