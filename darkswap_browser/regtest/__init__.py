"""A local Bitcoin regtest chain judged by Bitcoin Core's kernel, with the servers a page asks. CPython only."""
