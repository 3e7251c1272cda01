"""Experiments that more than one room needs: pages, pictures, exercises, stored results."""
