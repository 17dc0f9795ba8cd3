"""The endpoints beside /authorize and the grants: one a file, a typed request in, an answer out."""
