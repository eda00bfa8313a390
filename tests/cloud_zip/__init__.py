"""The deployed artefact: built, deployed to moto's server, read back, and run as Lambda runs it."""
