"""Code archives: gzipped tar files of a folder's source code."""
