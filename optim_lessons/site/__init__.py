"""The course as a static site: every lesson a page, every explorer live without a kernel and without a network."""
