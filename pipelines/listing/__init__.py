"""What lies in the folders and tars that a user names: std-lib only, so that planning can look before any job does."""
