"""The course as a static site: each lesson a page, each explorer live, without a kernel or a network."""
