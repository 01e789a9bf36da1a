"""Bitcoin's networks, by what tells them apart and by the first blocks in which their outputs may carry assets."""

from __future__ import annotations

GENESIS = {
    "mainnet": "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
    "testnet": "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
    "signet": "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
    "regtest": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
}
"""Hash of block 0: test networks share their addresses, so an address does not tell."""
FIRST_INSCRIPTION = {"mainnet": 767_430, "testnet": 2_413_343, "signet": 112_402}
"""Height of the first block that ord reads (ordinals/ord, src/chain.rs, first_inscription_height); elsewhere 0. Runes
came later. An output of an earlier block carries neither, and ord keeps no entry of it.
"""
FIRST_ALKANE = {"mainnet": 880_000}
"""Height of the first block that the index of alkanes reads (kungfuflex/alkanes-rs, genesis block); elsewhere 0."""
