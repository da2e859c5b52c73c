"""What is remembered: the only room that speaks SQL. Explicit tables, frozen nouns in and out, one writer thread."""
