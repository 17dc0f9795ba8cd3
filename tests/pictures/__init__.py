"""Every page in every state, as pictures: `make pictures`."""
