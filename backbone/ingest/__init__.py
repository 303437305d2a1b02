"""From a source into the store: the plan of a run, and the actor that carries it out."""
