"""A run of Snakemake watched from inside: how far it is, what it does now, and how long it will take."""
