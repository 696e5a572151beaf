"""What must hold? One module for each concern; a rule is named after what it requires.

A rule is a pure function of the question, the facts, the policy and the instant, and returns what it found. It never
passes on a fact that is not known.

A gate's rule is made of the gate: `soaked(name, gate)` works out once what the policy alone decides, and returns the
function that judges a case. What the policy and the question decide together a rule asks for with `case.beforehand`,
what several rules need of one case with `case.once`. From one case to the next nothing of the facts is kept, but for
whether a word is like a pattern.
"""
