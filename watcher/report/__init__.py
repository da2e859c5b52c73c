"""Reports: pure read models of what is stored, and the records that programs get of it."""
