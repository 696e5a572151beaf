"""What must hold? One module for each concern; a rule is named after what it requires.

A rule is a pure function of the question, the facts, the policy and the instant, and returns what it found. It never
passes on a fact that is not known.
"""
