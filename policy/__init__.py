"""May this happen, and why? Pure and synchronous; time, people and the world are facts passed in."""
