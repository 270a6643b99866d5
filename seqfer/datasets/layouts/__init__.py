"""One reader per data set layout: from a folder as users have it to clips, and to what was left out and why."""
