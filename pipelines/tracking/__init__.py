"""Tracking: MLflow as a mirror of the job folders, brought up to date at any time and never asked for anything."""
