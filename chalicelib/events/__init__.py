"""What the event handlers of ``app.py`` call: read the event, call the engine, say what failed."""
