"""The contenders: programs with one command line and one result, each in the manner of its library."""
