"""The command line of Noonday. It speaks to Noonday only through its REST interface."""
