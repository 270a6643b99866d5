"""Videos as streams of upright frames with true times."""
