"""The plugins that come with pacsfw; they use the same route as anyone else's."""
