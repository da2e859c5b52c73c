"""One file a step, numbered in order: numbers sort as text, which the check for a newer schema relies on."""
