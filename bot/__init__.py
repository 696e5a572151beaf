"""How does the program meet the world? Wires and translates; decides nothing."""
