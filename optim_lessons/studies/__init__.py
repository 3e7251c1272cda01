"""The experiments of lessons 10 to 12, which their pages, exercises and stored results share."""
