//! From flags to one finished build: options, request, run, result files, and what to say on failure.
