"""The instruments that every lesson uses. They know no lesson."""
