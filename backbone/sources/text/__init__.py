"""Files of text: how they are opened, cut into lines, understood and turned into columns."""
