"""Steps that ask MAAS itself, through its API: images, the inventory, the proof of a restore."""
