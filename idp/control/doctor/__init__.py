"""What configuration says against what is true, from the environment to the answer that a browser gets.

Owns the examinations and their findings, each with a stable code, its cause in one sentence, and the line to change.
Leaves to `readiness` whether a deployment may go on, and to the doors how findings are shown. Changes nothing.
"""
