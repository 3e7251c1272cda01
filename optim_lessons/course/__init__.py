"""What makes it a course: exercises, checks, working copies and the command line."""
