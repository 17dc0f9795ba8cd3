"""Postgres, one aggregate a file: its table on top, its queries below.

Every function works in the tenant that is entered and names that tenant in its statement, so that an
index serves it; row-level security refuses the rest whatever a statement says.
"""
