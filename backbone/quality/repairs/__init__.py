"""Rules that mend bars on evidence, one file for each; `backbone.quality.repair` applies them."""
