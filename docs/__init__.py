"""The documents, and the program that writes the generated parts of them."""
