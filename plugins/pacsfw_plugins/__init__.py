"""The bundled plugins of pacsfw; they are loaded in the same way as any other plugin."""
