"""Playing the instructions of a patch or a recipe: file edits, runs, config edits."""
