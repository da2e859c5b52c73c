"""What is stored, as answers to people and programs: the commands, the page and the API ask here, and say the same.

It reads with `store` inside one transaction and decides with the pure rooms; how an answer looks is left to who asked.
"""
