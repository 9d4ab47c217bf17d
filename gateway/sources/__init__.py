"""Sources: a link, its decoder, and the way from there into the intake; with the policy that only sources use."""
