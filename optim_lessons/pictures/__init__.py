"""The pictures of each lesson, in a module with the lesson's name: still ones and scenes for `explore`."""
