"""`darkswap`: wallet, orders and trades from a terminal. `command` is where it begins."""
