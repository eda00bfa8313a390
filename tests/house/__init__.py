"""The house: pins, commands, documents and examples are what they say they are."""
