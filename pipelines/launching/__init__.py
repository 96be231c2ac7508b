"""How a job becomes several processes: torchrun on one node or many, and the group they form."""
