"""Real networks on one machine: two browsers behind routers of their own, NAT, cut and slow cables. Needs root."""
